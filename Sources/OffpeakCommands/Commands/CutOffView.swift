import OffpeakCore
import OffpeakStore

/// What was in flight when its run ended: nobody knows whether it was answered until the next run takes it up.
struct CutOffView {
    /// 0 while a run works the queue: then all of it is in flight.
    let jobs: Int
    /// What the next run does with them, a word for each way; empty where nobody can say.
    private let fates: [String]

    init(of batch: BatchStatus, isRun: Bool, _ outlook: KeyOutlook?) {
        jobs = isRun ? 0 : batch.counts.inFlight
        let them = jobs == 1 ? "it" : "them"
        guard let outlook, batch.state == .open else {
            fates = batch.state == .cancelled ? ["ends \(them) as cancelled"] : []
            return
        }
        var fates: [String] = []
        for flow in batch.flows where flow.counts.inFlight > 0 {
            let fate =
                switch outlook.afterLoss(of: flow.flow) {
                case .park: "parks \(them) for a person"
                case .fail: "ends \(them) as failed"
                default: "sends \(them) again"
                }
            if !fates.contains(fate) { fates.append(fate) }
        }
        self.fates = fates
    }

    var words: String? {
        guard jobs > 0 else { return nil }
        let end =
            fates.isEmpty
            ? "settles \(jobs == 1 ? "it" : "them")"
            : "\(fates.listed("or"))" + (fates.count > 1 ? ", by their class" : "")
        return
            "\(Words.count(jobs, "job")) cut off when the run ended: whether \(jobs == 1 ? "it was" : "they were") answered, and charged, is unknown; the next "
            + "`offpeak run` \(end)"
    }
}
