import CCurl
import CEpoll
import Glibc
import OffpeakProviders

/// The loop around libcurl's multi handle. Everything here happens on the transport's thread.
final class CurlLoop {
    private let options: TransportOptions
    private let multi: OpaquePointer
    private let epoll: Int32
    private let bell: Int32
    private let deliver: ([HTTPCompletion]) -> Void
    /// The events watched for on each descriptor; 0 when it is not registered.
    private var watched: [UInt32] = []
    /// When libcurl wants to be called, in ms of the monotonic clock.
    private var timer: Int64?
    private var active: [UInt64: Transfer] = [:]
    private var idle: [Transfer] = []
    private var completions: [HTTPCompletion] = []
    private var checked: [String: (check: URLCheck, origin: String?)] = [:]
    private var origins: [String: Origin] = [:]
    /// Requests that libcurl has begun to send since they were last looked at.
    private var begun: [UInt64] = []
    /// When to look for passed deadlines, in ms of the monotonic clock.
    private var sweep: Int64?
    private var running: Int32 = 0
    private var hasEnded = false

    init?(options: TransportOptions, bell: Int32, deliver: @escaping ([HTTPCompletion]) -> Void) {
        self.options = options
        self.bell = bell
        self.deliver = deliver
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard epoll >= 0, let multi = curl_multi_init() else { return nil }
        self.multi = multi
        var event = epoll_event(events: EPOLLIN.rawValue, data: epoll_data_t(fd: bell))
        epoll_ctl(epoll, EPOLL_CTL_ADD, bell, &event)
        let me = Unmanaged.passUnretained(self).toOpaque()
        _ = offpeak_curl_multi_set_long(multi, Int32(CURLMOPT_PIPELINING), Int(CURLPIPE_MULTIPLEX))
        _ = offpeak_curl_multi_set_long(multi, Int32(CURLMOPT_MAX_CONCURRENT_STREAMS), 100)
        _ = offpeak_curl_multi_set_long(multi, Int32(CURLMOPT_MAXCONNECTS), max(16, options.expectedConcurrency))
        _ = offpeak_curl_multi_set_socket(
            multi,
            { _, socket, what, me, _ in
                Unmanaged<CurlLoop>.fromOpaque(me!).takeUnretainedValue().watch(socket, what)
                return 0
            }, me)
        _ = offpeak_curl_multi_set_timer(
            multi,
            { _, milliseconds, me in
                let loop = Unmanaged<CurlLoop>.fromOpaque(me!).takeUnretainedValue()
                loop.timer = milliseconds < 0 ? nil : CurlLoop.now() + Int64(milliseconds)
                return 0
            }, me)
    }

    deinit { end() }

    /// Closes every connection. After that the loop is of no more use.
    func end() {
        guard !hasEnded else { return }
        hasEnded = true
        idle = []
        active = [:]
        curl_multi_cleanup(multi)
        close(epoll)
    }

    /// Runs until told to stop; `news` gives what was asked for since the last call.
    func run(news: () -> (requests: [(id: UInt64, request: HTTPRequest)], cancels: Bool, stops: Bool)) {
        var events = [epoll_event](repeating: epoll_event(), count: 512)
        while true {
            let count = epoll_wait(epoll, &events, Int32(events.count), patience())
            for event in events.prefix(max(0, Int(count))) {
                if event.data.fd == bell {
                    var sum: UInt64 = 0
                    _ = read(bell, &sum, 8)
                    let (requests, cancels, stops) = news()
                    for (id, request) in requests { start(id, request) }
                    if cancels { cancelAll() }
                    if stops {
                        flush()
                        return
                    }
                } else {
                    curl_multi_socket_action(multi, event.data.fd, Self.selection(event.events), &running)
                }
            }
            if let due = timer, due <= Self.now() { pulse() }
            while !begun.isEmpty { advance() }
            collect()
            expire()
            flush()
        }
    }

    /// Lets libcurl do what it wants to do now.
    private func pulse() {
        timer = nil
        curl_multi_socket_action(multi, Int32(CURL_SOCKET_TIMEOUT), 0, &running)
    }

    private func patience() -> Int32 {
        guard let until = [timer, sweep].compactMap({ $0 }).min() else { return -1 }
        return Int32(clamping: max(0, until - Self.now()))
    }

    private static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
    }

    private static func selection(_ events: UInt32) -> Int32 {
        var selected = 0
        if events & EPOLLIN.rawValue != 0 { selected |= CURL_CSELECT_IN }
        if events & EPOLLOUT.rawValue != 0 { selected |= CURL_CSELECT_OUT }
        if events & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0 { selected |= CURL_CSELECT_ERR }
        return Int32(selected)
    }

    /// libcurl wants to hear of a socket, or no longer.
    private func watch(_ socket: Int32, _ what: Int32) {
        let index = Int(socket)
        while watched.count <= index { watched.append(0) }
        if Int(what) == CURL_POLL_REMOVE {
            // libcurl may have closed it already; then the kernel has forgotten it by itself.
            if watched[index] != 0 { epoll_ctl(epoll, EPOLL_CTL_DEL, socket, nil) }
            watched[index] = 0
            return
        }
        var events: UInt32 = 0
        if what & Int32(CURL_POLL_IN) != 0 { events |= EPOLLIN.rawValue }
        if what & Int32(CURL_POLL_OUT) != 0 { events |= EPOLLOUT.rawValue }
        guard events != watched[index] else { return }
        var event = epoll_event(events: events, data: epoll_data_t(fd: socket))
        epoll_ctl(epoll, watched[index] == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, socket, &event)
        watched[index] = events
    }

    // MARK: Requests

    private func start(_ id: UInt64, _ request: HTTPRequest) {
        let known = checked[request.url] ?? (URLCheck(request.url), Origin.name(of: request.url))
        if checked.count > 1_000 { checked = [:] }
        checked[request.url] = known
        switch known.check {
        case .malformed:
            return fail(id, .other, "the address is not a valid http or https URL")
        case .plain(let host) where !request.allowsInsecure:
            return fail(
                id, .insecure,
                "plain http to \(host) would send the key unprotected; use https, or set `insecure: true`")
        default: break
        }
        let held = Origin.Held(
            id: id, request: request, isLoopback: known.check == .loopback,
            // A part of a millisecond is missing from `now`, and nothing is to end early for that.
            deadline: Self.now() + 1 + Int64(min(max(1, request.timeoutMilliseconds), 1 << 40)))
        if let origin = known.origin, origins[origin]?.mustWait == true {
            origins[origin]?.hold(held)
            sweep = min(sweep ?? .max, held.deadline)
        } else {
            launch(held, origin: known.origin)
        }
    }

    private func launch(_ held: Origin.Held, origin: String?) {
        guard let transfer = idle.popLast() ?? makeTransfer() else {
            fail(held.id, .other, "libcurl could not make a handle")
            return giveUp(scout: held.id, of: origin)
        }
        let left = Int(held.deadline - Self.now())
        transfer.prepare(held.request, id: held.id, origin: origin, isLoopback: held.isLoopback, timeout: left)
        transfer.deadline = held.deadline
        active[held.id] = transfer
        sweep = min(sweep ?? .max, held.deadline + Self.grace)
        if let origin, origins[origin]?.speech != .http1 { origins[origin, default: Origin()].scout = held.id }
        let code = curl_multi_add_handle(multi, transfer.easy)
        if code != 0 {
            active[held.id] = nil
            fail(held.id, .other, "libcurl refused the request (code \(code))")
            giveUp(scout: held.id, of: origin)
        }
    }

    /// A request ended without ever having got a connection: those that waited for it shall not wait any longer.
    private func giveUp(scout id: UInt64, of origin: String?, isLate: Bool = false) {
        guard let origin, origins[origin]?.scout == id || origins[origin]?.scout == nil else { return }
        origins[origin]?.scout = nil
        // If its own deadline was the reason, the next one tries; if no connection can be made, the others shall find
        // that out side by side.
        release(origin, all: !isLate)
    }

    private func makeTransfer() -> Transfer? {
        let transfer = Transfer(options: options)
        transfer?.onBegin = { [unowned self] in begun.append($0.id) }
        return transfer
    }

    /// Looks at the requests that have a connection now, and sends on their way those who waited for them.
    private func advance() {
        let begun = begun
        self.begun = []
        var hasWork = false
        for id in begun {
            guard let transfer = active[id], let name = transfer.origin else { continue }
            origins[name]?.speech = transfer.speaksHTTP2 ? .http2 : .http1
            guard origins[name]?.scout == id else { continue }
            origins[name]?.scout = nil
            hasWork = release(name, all: !transfer.speaksHTTP2) || hasWork
        }
        if hasWork { pulse() }
    }

    /// Launches one or all of those that wait for an origin; true when there was one.
    @discardableResult private func release(_ name: String, all: Bool) -> Bool {
        guard all else {
            guard let next = origins[name]?.takeFirst() else { return false }
            launch(next, origin: name)
            return true
        }
        let waiting = origins[name]?.takeAll() ?? []
        for next in waiting { launch(next, origin: name) }
        return !waiting.isEmpty
    }

    /// So much later than its deadline, in milliseconds, a request is ended that libcurl has not ended by itself. It
    /// misses a deadline for good if this thread was interrupted at the wrong moment: it takes the time twice as it
    /// begins, sets its timer by the first and judges by the second, and has no timer left if that is not up.
    private static let grace: Int64 = 50

    /// Ends requests whose deadline has passed.
    private func expire() {
        let now = Self.now()
        guard let due = sweep, due <= now else { return }
        for transfer in active.values where transfer.deadline + Self.grace <= now {
            end(transfer, transfer.exchange(ending: .timedOut, "no answer within the timeout"))
        }
        for name in origins.keys {
            for held in origins[name]?.takeAll(until: now) ?? [] {
                fail(held.id, .timedOut, "no connection to the server within the timeout")
            }
        }
        let next = [
            active.values.lazy.map(\.deadline).min().map { $0 + Self.grace },
            origins.values.lazy.compactMap(\.earliestDeadline).min(),
        ]
        // Looking costs a little for each request under way, so not every millisecond.
        sweep = next.compactMap { $0 }.min().map { max($0, now + Self.grace) }
    }

    private func fail(_ id: UInt64, _ kind: TransportFailure.Kind, _ message: String) {
        let failure = TransportFailure(kind: kind, requestFullySent: false, message: message)
        completions.append(HTTPCompletion(id: id, exchange: .failure(failure)))
    }

    /// Takes what has ended from libcurl.
    private func collect() {
        var left: Int32 = 0
        while let message = curl_multi_info_read(multi, &left) {
            guard message.pointee.msg == Int32(CURLMSG_DONE), let easy = message.pointee.easy_handle else { continue }
            let code = message.pointee.data.result
            var pointer: UnsafeMutableRawPointer?
            _ = offpeak_curl_get_private(easy, &pointer)
            guard let pointer else { continue }
            let transfer = Transfer.of(pointer)
            end(transfer, transfer.exchange(code: code))
        }
    }

    private func cancelAll() {
        for name in origins.keys {
            for held in origins[name]?.takeAll() ?? [] { fail(held.id, .cancelled, "stopped before it was sent") }
        }
        for transfer in active.values {
            end(transfer, transfer.exchange(ending: .cancelled, "stopped before the answer came"))
        }
    }

    private func end(_ transfer: Transfer, _ exchange: HTTPExchange) {
        curl_multi_remove_handle(multi, transfer.easy)
        active[transfer.id] = nil
        completions.append(HTTPCompletion(id: transfer.id, exchange: exchange))
        idle.append(transfer)
        guard let name = transfer.origin, origins[name]?.scout == transfer.id else { return }
        var isLate = false
        if case .failure(let failure) = exchange { isLate = failure.kind == .timedOut }
        giveUp(scout: transfer.id, of: name, isLate: isLate)
    }

    private func flush() {
        guard !completions.isEmpty else { return }
        let ended = completions
        completions = []
        deliver(ended)
    }
}
