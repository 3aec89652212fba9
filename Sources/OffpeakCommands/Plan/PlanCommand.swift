import OffpeakConfiguration
import OffpeakCore
import OffpeakForecast
import OffpeakRunner
import OffpeakStore

extension Command {
    static let plan = Command(
        syntax: CommandSyntax(
            "plan", ["BATCH…"], required: 0,
            help: "forecasts cost, finish time and what would spill, beside the alternatives; sends and queues nothing",
            options: [
                .value("--file", "F", "a JSONL file that is not queued yet, instead of queued batches"),
                .value("--class", "C", "with --file: the workload class of lines that name none; default: default"),
                .value("--model", "M", "with --file: the model of lines that name none"),
                .value("--deadline", "T", "with --file: when it should be done; default: the class's"),
                .value("--priority", "P", "with --file: higher goes first; default: the class's"),
                .flag("--skip-bad-lines", "with --file: leave bad lines out"),
            ])
    ) { context in
        try context.checkPlanArguments()
        let configuration = try context.configuration()
        let inputs = try context.planInputs(configuration)
        let planner = Planner(configuration: configuration, inputs: inputs)
        let plan = Plan(planner)
        if context.printer.usesJSON {
            context.printer.json { plan.write(to: &$0) }
        } else {
            context.printer.data(plan.lines.joined(separator: "\n"))
        }
        try Printer.checkOutput()
        context.keep(plan)
        return .success
    }
}

extension CommandContext {
    fileprivate func checkPlanArguments() throws(CommandFailure) {
        if arguments["--file"] != nil {
            guard arguments.positionals.isEmpty else {
                throw .usage("`offpeak plan` takes batches or --file, not both")
            }
            return
        }
        guard !arguments.positionals.isEmpty else {
            throw .usage("`offpeak plan` needs BATCH or --file F", hint: "`offpeak status` lists the batches")
        }
        for option in ["--class", "--model", "--deadline", "--priority", "--skip-bad-lines"]
        where arguments.has(option) {
            throw .usage("\(option) goes with --file: a queued batch has its own")
        }
    }

    fileprivate func planInputs(_ configuration: Configuration) throws -> PlanInputs {
        let clock = RunnerClock()
        var inputs = PlanInputs(now: clock.now, zone: configuration.timeZone)
        guard let path = arguments["--file"] else {
            let reader = try reader()
            defer { reader.close() }
            let asked = try arguments.positionals.map { try batch($0, in: reader) }
            for batch in asked where batch.state == .intake || batch.state == .cancelled {
                if batch.state == .intake { throw try incomplete(batch, reader) }
                throw CommandFailure(
                    .userError, code: "batch_state", "batch b\(batch.id) is cancelled",
                    hint: "`offpeak status` lists the batches")
            }
            try inputs.read(reader, asked: asked.map(\.id), configuration)
            return inputs
        }
        let request = try submission(of: path, configuration)
        try scan(request, into: &inputs)
        if let reader = try readerIfAny() {
            defer { reader.close() }
            try inputs.read(reader, asked: [], configuration)
        }
        return inputs
    }

    private func readerIfAny() throws(StoreError) -> QueueReader? {
        do throws(StoreError) {
            return try QueueReader(queue: queuePath)
        } catch {
            guard error.reason == .notFound else { throw error }
            return nil
        }
    }

    private func scan(_ request: SubmissionRequest, into inputs: inout PlanInputs) throws {
        var file = PlannedFile(request)
        let result: SubmissionResult
        do throws(any Error) {
            result = try FileScan(request).run { file.add($0, $1) }
        } catch let failure as SourceFailure {
            throw CommandFailure(failure, toBe: "planned")
        }
        let isBad = result.rejectedCount > 0 && !request.skipsBadLines
        if !printer.usesJSON { list(result, of: request, asErrors: isBad) }
        guard result.accepted > 0, !isBad else {
            throw CommandFailure(result, of: request, nothing: "nothing was forecast")
        }
        inputs.add(file, leftOut: result.rejectedCount)
    }

    /// Keeps the forecasts of queued batches for `report`. A forecast that cannot be kept is a forecast all the same.
    fileprivate func keep(_ plan: Plan) {
        let forecasts = plan.recorded
        guard !forecasts.isEmpty else { return }
        do throws(StoreError) {
            let control = try QueueControl(queue: queuePath)
            defer { control.close() }
            try control.keep(forecasts)
        } catch {
            printer.warning("the forecast is not kept for `offpeak report`: \(error.description)")
        }
    }
}
