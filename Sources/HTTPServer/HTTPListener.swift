import CEpoll
import Glibc
import Synchronization

/// A small HTTP/1.1 server on the loopback interface: one thread, one epoll, thousands of connections.
///
/// Made for answers that come much later than their requests: a waiting exchange is an entry in a timer heap and
/// costs nothing until it is due.
package final class HTTPListener: Sendable {
    /// The port, also when 0 was asked for.
    package let port: Int

    private let loop: LoopDescriptors
    private let handler: any RequestHandler
    private let limits: RequestLimits
    private let thread = Mutex<pthread_t?>(nil)
    private let state = Mutex(State.bound)

    private enum State { case bound, running, stopped }

    /// Binds the port at once, so that it is known and taken before `start`. Port 0 takes a free one. The IPv6
    /// loopback is served too where the machine has it.
    package init(handler: any RequestHandler, port: Int = 0, limits: RequestLimits = RequestLimits())
        throws(ListenFailure)
    {
        Sockets.raiseDescriptorLimit()
        self.handler = handler
        self.limits = limits
        let (listening, port) = try Self.bind(port: port)
        self.port = port
        do throws(ListenFailure) {
            loop = try LoopDescriptors(listening: listening)
        } catch {
            for descriptor in listening { close(descriptor) }
            throw error
        }
    }

    deinit { stop() }

    /// Begins to answer, on a thread of its own. Does nothing when it runs, or ran, already.
    package func start() {
        let begins = state.withLock { state in
            defer { if state == .bound { state = .running } }
            return state == .bound
        }
        guard begins else { return }
        let work = Work(loop: loop, handler: handler, limits: limits)
        thread.withLock { thread in
            var created = pthread_t()
            // SAFETY: the reference is taken back exactly once, by the thread, as the first thing it does.
            let argument = Unmanaged.passRetained(work).toOpaque()
            let code = pthread_create(
                &created, nil,
                { argument in
                    guard let argument else { return nil }
                    // SAFETY: this is the reference retained above, for this thread alone.
                    let work = Unmanaged<Work>.fromOpaque(argument).takeRetainedValue()
                    EventLoop(loop: work.loop, handler: work.handler, limits: work.limits).run()
                    return nil
                }, argument)
            precondition(code == 0, "no thread could be made")
            thread = created
        }
    }

    /// Ends every connection and the thread, and frees the port. Blocks until that is done. Never call it from the
    /// handler.
    package func stop() {
        let previous = state.withLock { state in
            defer { state = .stopped }
            return state
        }
        guard previous != .stopped else { return }
        if previous == .running {
            loop.wake()
            let running = thread.withLock { $0 }
            if let running { pthread_join(running, nil) }
        }
        loop.close()
    }

    /// Both loopback addresses on one port. With a port chosen by the system the second may be taken: then another
    /// is tried.
    private static func bind(port: Int) throws(ListenFailure) -> (descriptors: [Int32], port: Int) {
        var attempts = port == 0 ? 16 : 1
        while true {
            attempts -= 1
            let first = try Sockets.listen(on: .ipv4, port: port)
            do throws(ListenFailure) {
                let second = try Sockets.listen(on: .ipv6, port: first.port)
                return ([first.descriptor, second.descriptor], first.port)
            } catch {
                // A machine without IPv6 is served on IPv4 alone.
                guard error.isPortTaken else { return ([first.descriptor], first.port) }
                close(first.descriptor)
                if attempts == 0 { throw error }
            }
        }
    }

    private final class Work: Sendable {
        let loop: LoopDescriptors
        let handler: any RequestHandler
        let limits: RequestLimits

        init(loop: LoopDescriptors, handler: any RequestHandler, limits: RequestLimits) {
            self.loop = loop
            self.handler = handler
            self.limits = limits
        }
    }
}

/// The descriptors that the listener and its thread share.
struct LoopDescriptors: Sendable {
    let epoll: Int32
    let wakeUp: Int32
    let listening: [Int32]

    init(listening: [Int32]) throws(ListenFailure) {
        self.listening = listening
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard epoll >= 0 else { throw ListenFailure(action: "make an epoll", code: errno) }
        wakeUp = eventfd(0, Int32(EFD_NONBLOCK) | Int32(EFD_CLOEXEC))
        guard wakeUp >= 0 else {
            let code = errno
            Glibc.close(epoll)
            throw ListenFailure(action: "make an eventfd", code: code)
        }
    }

    /// Makes the thread look up from its wait.
    func wake() { eventfd_write(wakeUp, 1) }

    func close() {
        for descriptor in listening + [wakeUp, epoll] { Glibc.close(descriptor) }
    }
}
