import Dispatch
import Synchronization
import Testing

/// Lets a few tests of the real program run at once, on threads of their own.
///
/// Each starts several processes, so all of them at once would only measure how slow a crowded machine is. And what they
/// wait for happens in those processes, whose timing must not depend on other tests that keep the shared threads busy.
struct Turns: SuiteTrait, TestTrait, TestScoping {
    var isRecursive: Bool { true }

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        // Of a suite and a test with arguments, only the single cases take a turn.
        guard testCase != nil else { return try await function() }
        try await withTaskExecutorPreference(Threads.shared) {
            await Gate.shared.enter()
            defer { Gate.shared.leave() }
            try await function()
        }
    }
}

extension Trait where Self == Turns {
    /// A few at once, on threads of their own.
    static var turns: Turns { Turns() }
}

/// Threads that only these tests use.
private final class Threads: TaskExecutor {
    static let shared = Threads()
    private let queue = DispatchQueue(label: "command-tests", attributes: .concurrent)

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}

/// Counts who is in; the others wait in order.
private final class Gate: Sendable {
    static let shared = Gate()
    private struct State {
        var free = 5
        var waiting: [CheckedContinuation<Void, Never>] = []
    }
    private let state = Mutex(State())

    func enter() async {
        await withCheckedContinuation { continuation in
            let goesOn = state.withLock { state in
                if state.free > 0 {
                    state.free -= 1
                    return true
                }
                state.waiting.append(continuation)
                return false
            }
            if goesOn { continuation.resume() }
        }
    }

    func leave() {
        let next = state.withLock { state -> CheckedContinuation<Void, Never>? in
            if state.waiting.isEmpty {
                state.free += 1
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.resume()
    }
}
