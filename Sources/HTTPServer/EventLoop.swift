import CEpoll
import Glibc

/// The listener's thread: accepts, reads, asks the handler, waits, writes.
final class EventLoop {
    private enum Due {
        case answer(UInt64)
        case hangUp(UInt64)
        case accept
    }

    private static let wakeToken: UInt64 = 0
    private static let read = EPOLLIN.rawValue | EPOLLRDHUP.rawValue
    private static let write = EPOLLOUT.rawValue

    private let loop: LoopDescriptors
    private let handler: any RequestHandler
    private let limits: RequestLimits
    /// A client may pipeline this much while an answer is due; then it has to wait.
    private let bufferLimit: Int
    private let epoch = Sockets.now()
    private var table = ConnectionTable()
    private var timers = TimerHeap<Due>()
    private var scratch = [UInt8](repeating: 0, count: 64 << 10)
    private var date: [UInt8] = []
    private var dateTaken: Int64 = -1

    init(loop: LoopDescriptors, handler: any RequestHandler, limits: RequestLimits) {
        self.loop = loop
        self.handler = handler
        self.limits = limits
        bufferLimit = limits.head + limits.body
    }

    private var now: Int64 { Sockets.now() - epoch }

    /// Serves until woken by `stop`.
    func run() {
        watch(loop.wakeUp, token: Self.wakeToken, events: EPOLLIN.rawValue, add: true)
        armListening(true, add: true)
        var events = [epoll_event](repeating: epoll_event(), count: 512)
        while true {
            let count = wait(&events)
            for event in events.prefix(count) {
                let token = event.data.u64
                if token == Self.wakeToken {
                    closeAll()
                    return
                } else if token < 16 {
                    acceptAll(loop.listening[Int(token) - 1])
                } else if let connection = table.find(token) {
                    handle(connection, event.events)
                }
            }
            runTimers()
        }
    }

    // MARK: - Waiting

    private func wait(_ events: inout [epoll_event]) -> Int {
        var count: Int32
        if let earliest = timers.earliest {
            let left = max(0, earliest - now)
            var timeout = timespec(tv_sec: Int(left / 1_000_000), tv_nsec: Int(left % 1_000_000) * 1_000)
            count = epoll_pwait2(loop.epoll, &events, Int32(events.count), &timeout, nil)
            if count < 0 && errno == ENOSYS {
                // Kernels before 5.11 count in milliseconds: rounded up, so that nothing is early.
                let milliseconds = min((left + 999) / 1_000, 3_600_000)
                count = epoll_wait(loop.epoll, &events, Int32(events.count), Int32(milliseconds))
            }
        } else {
            count = epoll_wait(loop.epoll, &events, Int32(events.count), -1)
        }
        return max(0, Int(count))
    }

    private func runTimers() {
        guard timers.earliest != nil else { return }
        let now = now
        while let due = timers.takeDue(at: now) {
            switch due {
            case .accept:
                armListening(true, add: false)
            case .hangUp(let token):
                if let connection = table.find(token) { drop(connection) }
            case .answer(let token):
                guard let connection = table.find(token), connection.phase == .waiting else { continue }
                deliver(connection)
                serve(connection)
            }
        }
    }

    private func watch(_ descriptor: Int32, token: UInt64, events: UInt32, add: Bool) {
        var event = epoll_event()
        event.events = events
        event.data.u64 = token
        epoll_ctl(loop.epoll, add ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, descriptor, &event)
    }

    private func listen(to connection: Connection, _ events: UInt32) {
        guard connection.interest != events else { return }
        watch(connection.descriptor, token: connection.token, events: events, add: connection.interest == 0)
        connection.interest = events
    }

    private func armListening(_ on: Bool, add: Bool) {
        for (index, descriptor) in loop.listening.enumerated() {
            watch(descriptor, token: UInt64(index) + 1, events: on ? EPOLLIN.rawValue : 0, add: add)
        }
    }

    // MARK: - Connections

    private func acceptAll(_ listening: Int32) {
        while true {
            let (descriptor, code) = Sockets.accept(listening)
            if descriptor >= 0 {
                let connection = table.add(descriptor: descriptor, limits: limits)
                listen(to: connection, Self.read)
                handler.connections(open: table.open)
            } else if code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM {
                // Out of descriptors: those who wait stay in the backlog until some connection ends.
                armListening(false, add: false)
                timers.add(.accept, due: now + 20_000)
                return
            } else if code != EINTR && code != ECONNABORTED {
                return
            }
        }
    }

    private func drop(_ connection: Connection) {
        close(connection.descriptor)
        table.remove(connection)
        report(connection, delivered: false)
        handler.connections(open: table.open)
    }

    private func closeAll() {
        for connection in table.all { drop(connection) }
    }

    /// Tells the handler once that an exchange is over.
    private func report(_ connection: Connection, delivered: Bool) {
        guard let answer = connection.answer else { return }
        connection.answer = nil
        if answer.ticket != 0 { handler.ended(ticket: answer.ticket, delivered: delivered, at: now) }
    }

    private func handle(_ connection: Connection, _ events: UInt32) {
        if events & Self.write != 0, connection.phase == .writing { flush(connection) }
        if events & ~Self.write != 0, table.find(connection.token) != nil { read(connection) }
        serve(connection)
    }

    private func read(_ connection: Connection) {
        while !connection.peerClosed {
            let count = recv(connection.descriptor, &scratch, scratch.count, 0)
            if count > 0 {
                if connection.phase != .draining {
                    scratch.withUnsafeBytes { connection.parser.append(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
                }
                if count < scratch.count || connection.parser.bufferedBytes > bufferLimit { break }
            } else if count == 0 {
                connection.peerClosed = true
            } else if errno == EAGAIN {
                break
            } else if errno != EINTR {
                return drop(connection)
            }
        }
    }

    // MARK: - Exchanges

    /// Answers the requests that are there, one after the other, and asks epoll for what is needed next.
    private func serve(_ connection: Connection) {
        guard table.find(connection.token) != nil else { return }
        while connection.phase == .reading {
            switch connection.parser.next() {
            case .request(let request):
                begin(connection, request)
            case .failed(let failure):
                connection.keepsAlive = false
                connection.headOnly = false
                connection.answer = .text(failure.status, failure.rawValue)
                deliver(connection)
            case .incomplete:
                if connection.parser.takeContinue() {
                    send(connection, "HTTP/1.1 100 Continue\r\n\r\n")
                }
                if connection.peerClosed { return drop(connection) }
                return listen(to: connection, Self.read)
            }
            guard table.find(connection.token) != nil else { return }
        }
        if connection.phase == .writing {
            listen(to: connection, connection.peerClosed ? Self.write : Self.read | Self.write)
        } else if connection.peerClosed {
            // The client left, or sends no more: nobody waits for an answer that has not begun.
            drop(connection)
        } else {
            let isFull = connection.parser.bufferedBytes > bufferLimit
            listen(to: connection, isFull ? EPOLLRDHUP.rawValue : Self.read)
        }
    }

    private func begin(_ connection: Connection, _ request: ServerRequest) {
        let read = now
        let answer = handler.answer(request, at: read)
        connection.answer = answer
        connection.keepsAlive = request.keepsAlive
        connection.headOnly = request.method == "HEAD"
        if answer.delivery == .never {
            connection.phase = .hanging
        } else if answer.delay > 0 {
            connection.phase = .waiting
            timers.add(.answer(connection.token), due: read + answer.delay)
        } else {
            deliver(connection)
        }
    }

    /// Sends the answer that is due, as wholly as it is meant to be.
    private func deliver(_ connection: Connection) {
        guard let answer = connection.answer, answer.delivery != .close else { return drop(connection) }
        if answer.delivery != .whole { connection.keepsAlive = false }
        connection.out = answer.serialized(
            keepsAlive: connection.keepsAlive, headOnly: connection.headOnly, date: currentDate())
        connection.written = 0
        connection.phase = .writing
        flush(connection)
    }

    private func flush(_ connection: Connection) {
        while connection.written < connection.out.count {
            let from = connection.written
            let count = connection.out.withUnsafeBytes { bytes in
                let rest = UnsafeRawBufferPointer(rebasing: bytes[from...])
                return Glibc.send(connection.descriptor, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
            }
            if count >= 0 {
                connection.written += count
            } else if errno == EAGAIN {
                return
            } else if errno != EINTR {
                return drop(connection)
            }
        }
        connection.out = []
        let whole = connection.answer?.delivery == .whole
        report(connection, delivered: whole)
        if connection.keepsAlive {
            connection.phase = .reading
        } else if whole, !connection.peerClosed {
            // Closing with unread bytes would reset the connection and could take the answer with it.
            shutdown(connection.descriptor, Int32(SHUT_WR))
            connection.phase = .draining
            timers.add(.hangUp(connection.token), due: now + 1_000_000)
        } else {
            drop(connection)
        }
    }

    /// A few bytes outside any answer; a full socket may lose them, which costs the client only its patience.
    private func send(_ connection: Connection, _ text: String) {
        let bytes = Array(text.utf8)
        _ = Glibc.send(connection.descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    /// The `date` header's value, made anew at most once a second.
    private func currentDate() -> [UInt8] {
        let second = now / 1_000_000
        if second != dateTaken {
            dateTaken = second
            date = Sockets.httpDate()
        }
        return date
    }
}
