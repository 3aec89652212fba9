import Dispatch
import Synchronization

/// Messages for one thread, from any thread. The receiver takes all that wait at once, so it is woken once for many.
final class Mailbox<Message: Sendable>: Sendable {
    private let waiting = Mutex<[Message]>([])
    private let bell = DispatchSemaphore(value: 0)

    func post(_ message: Message) {
        let wasEmpty = waiting.withLock { messages in
            messages.append(message)
            return messages.count == 1
        }
        if wasEmpty { bell.signal() }
    }

    /// All messages that wait, in order; blocks until there is one or the time is up (milliseconds; nil = for ever).
    func take(within milliseconds: Int?) -> [Message] {
        let deadline = milliseconds.map { DispatchTime.now() + .milliseconds($0) } ?? .distantFuture
        while true {
            let messages = waiting.withLock { messages in
                let all = messages
                messages = []
                return all
            }
            if !messages.isEmpty { return messages }
            // A bell left over from messages already taken only costs one more turn.
            if bell.wait(timeout: deadline) == .timedOut {
                return waiting.withLock {
                    let all = $0; $0 = []; return all
                }
            }
        }
    }
}
