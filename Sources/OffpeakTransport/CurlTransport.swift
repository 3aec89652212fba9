import CCurl
import CEpoll
import Dispatch
import Glibc
import OffpeakProviders
import Synchronization

/// Sends requests with libcurl's multi interface from one thread of its own that sleeps in epoll.
///
/// URLSession on Linux would burn a core while it waits for answers; libcurl driven this way does nothing then.
package final class CurlTransport: HTTPTransport {
    private struct Inbox: Sendable {
        var requests: [(id: UInt64, request: HTTPRequest)] = []
        var cancels = false
        var stops = false
        /// The thread takes no more.
        var hasEnded = false
    }

    private let inbox = Mutex(Inbox())
    private let bell: Int32
    private let ended = DispatchSemaphore(value: 0)
    private let deliver: @Sendable ([HTTPCompletion]) -> Void

    /// Starts the thread, which runs until `stop`. `deliver` is called on it, once per turn, with everything that ended in
    /// that turn; it must not call `stop`, which waits for the thread.
    ///
    /// SIGPIPE is ignored in this process from here on: a connection that the server closes must not end it.
    package init(
        options: TransportOptions = TransportOptions(), deliver: @escaping @Sendable ([HTTPCompletion]) -> Void
    ) throws(TransportStartFailure) {
        self.deliver = deliver
        signal(SIGPIPE, SIG_IGN)
        curl_global_init(3)
        bell = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
        guard bell >= 0 else {
            throw TransportStartFailure(message: "no event descriptor: \(String(cString: strerror(errno)))")
        }
        guard let loop = CurlLoop(options: options, bell: bell, deliver: deliver) else {
            close(bell)
            throw TransportStartFailure(message: "libcurl or epoll could not be set up")
        }
        let start = ThreadStart { [self] in
            loop.run {
                inbox.withLock { inbox in
                    let news = (inbox.requests, inbox.cancels, inbox.stops)
                    inbox.requests = []
                    inbox.cancels = false
                    inbox.hasEnded = inbox.stops
                    return news
                }
            }
            // Before anyone goes on: a process that ends while connections are being closed may crash in TLS.
            loop.end()
            ended.signal()
        }
        start.launch()
    }

    deinit { close(bell) }

    /// After `stop`, requests end at once as cancelled, and `deliver` is called on the caller's thread.
    package func send(_ requests: [(id: UInt64, request: HTTPRequest)]) {
        let isTaken = inbox.withLock { inbox in
            if !inbox.hasEnded { inbox.requests += requests }
            return !inbox.hasEnded
        }
        guard isTaken else {
            let failure = TransportFailure(
                kind: .cancelled, requestFullySent: false, message: "the transport has stopped")
            return deliver(requests.map { HTTPCompletion(id: $0.id, exchange: .failure(failure)) })
        }
        ring()
    }

    package func cancelAll() {
        inbox.withLock { $0.cancels = true }
        ring()
    }

    package func stop() {
        inbox.withLock { inbox in
            inbox.cancels = true
            inbox.stops = true
        }
        ring()
        ended.wait()
        // For whoever else waits, or will.
        ended.signal()
    }

    private func ring() {
        var one: UInt64 = 1
        _ = write(bell, &one, 8)
    }
}

/// A POSIX thread that runs a closure; Foundation's would pull Foundation in.
private final class ThreadStart {
    private let body: () -> Void

    init(_ body: @escaping () -> Void) { self.body = body }

    func launch() {
        var thread = pthread_t()
        let me = Unmanaged.passRetained(self).toOpaque()
        let failure = pthread_create(
            &thread, nil,
            { me in
                Unmanaged<ThreadStart>.fromOpaque(me!).takeRetainedValue().body()
                return nil
            }, me)
        precondition(failure == 0, "a thread must be available at start")
        pthread_detach(thread)
    }
}
