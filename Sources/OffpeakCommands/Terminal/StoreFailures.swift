import OffpeakStore

extension CommandFailure {
    /// What a failure of the queue means to the user.
    init(_ error: StoreError) {
        switch error.reason {
        case .notFound where error.extended != 0:
            self.init(
                .userError, code: "no_folder", error.message,
                hint: "make the folder first, or name another file with --queue")
        case .notFound:
            self.init(
                .userError, code: "no_queue", error.message,
                hint: "`offpeak submit` makes a queue; --queue names another")
        case .notAQueue:
            self.init(.userError, code: "not_a_queue", error.message, hint: "name the queue's own file with --queue")
        case .newerSchema(let found, let supported):
            self.init(
                .userError, code: "newer_queue",
                "the queue has schema \(found), and this offpeak knows schemas up to \(supported)",
                hint: "use the newer offpeak")
        case .runLocked(let process):
            let who = process.map { "process \($0)" } ?? "another process"
            self.init(
                .userError, code: "already_running", "\(who) runs this queue already",
                hint: "one run works a queue; submit, status, pause and all others work beside it")
        case .intakeInProgress(let batch):
            self.init(
                .userError, code: "intake_in_progress", "another process is submitting this very file as b\(batch) now",
                hint: "wait for it, or stop it and submit again: it goes on where it was")
        case .unknownBatch(let batch):
            self.init(
                .userError, code: "no_batch", "there is no batch b\(batch)", hint: "`offpeak status` lists the batches")
        case .wrongBatchState:
            self.init(.userError, code: "batch_state", error.message)
        case .alreadyExists:
            self.init(.userError, code: "exists", error.message, hint: "choose another name; nothing is overwritten")
        case .full:
            self.init(
                .machineError, code: "disk_full", "no space left for the queue: \(error.description)",
                hint: "make room and run the same command again; nothing recorded is lost")
        case .ioError, .corrupt:
            self.init(
                .machineError, code: "disk", "the disk failed: \(error.description)",
                hint: "check the disk; then run the same command again, it goes on from what is recorded")
        case .readOnly, .unsafePath, .networkFileSystem:
            self.init(
                .userError, code: "queue_path", error.message, hint: "keep the queue on a local disk that you can write"
            )
        case .busy:
            self.init(
                .machineError, code: "busy", error.description, hint: "another program holds the queue; try again")
        case .broken, .constraint, .other:
            self.init(.machineError, code: "store", error.description)
        }
    }
}
