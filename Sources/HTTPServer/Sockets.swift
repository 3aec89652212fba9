import CEpoll
import Glibc

/// Why a listener could not start.
package struct ListenFailure: Error, Sendable, CustomStringConvertible {
    /// What was tried, such as `bind 127.0.0.1 port 8000`.
    package var action: String
    /// The system's error number.
    package var code: Int32

    /// One line for people.
    package var description: String { "cannot \(action): \(String(cString: strerror(code)))" }
    /// The port belongs to another process.
    package var isPortTaken: Bool { code == EADDRINUSE }
}

/// The system calls of the listener.
enum Sockets {
    /// Microseconds on the monotonic clock.
    static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000
    }

    /// Lets this process open as many descriptors as its hard limit allows. Failing is no error: fewer connections fit.
    static func raiseDescriptorLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    /// A listening, non-blocking socket on a loopback address, and the port it got.
    static func listen(on address: LoopbackAddress, port: Int) throws(ListenFailure) -> (descriptor: Int32, port: Int) {
        guard let wanted = UInt16(exactly: port) else { throw ListenFailure(action: "use port \(port)", code: EINVAL) }
        let family = address == .ipv4 ? AF_INET : AF_INET6
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = socket(family, type, 0)
        guard descriptor >= 0 else { throw ListenFailure(action: "open a socket for \(address.rawValue)", code: errno) }
        do throws(ListenFailure) {
            set(descriptor, SOL_SOCKET, SO_REUSEADDR)
            if address == .ipv6 { set(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY) }
            try bind(descriptor, address, wanted)
            // The kernel lowers this to its own maximum (net.core.somaxconn).
            guard Glibc.listen(descriptor, 16_384) == 0 else {
                throw ListenFailure(action: "listen on \(address.rawValue) port \(port)", code: errno)
            }
            return (descriptor, port == 0 ? portOf(descriptor, address) : port)
        } catch {
            close(descriptor)
            throw error
        }
    }

    private static func bind(_ descriptor: Int32, _ address: LoopbackAddress, _ port: UInt16) throws(ListenFailure) {
        let result: Int32
        switch address {
        case .ipv4:
            var name = sockaddr_in()
            name.sin_family = sa_family_t(AF_INET)
            name.sin_port = port.bigEndian
            name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            result = withPointer(to: &name) { Glibc.bind(descriptor, $0, $1) }
        case .ipv6:
            var name = sockaddr_in6()
            name.sin6_family = sa_family_t(AF_INET6)
            name.sin6_port = port.bigEndian
            name.sin6_addr = in6addr_loopback
            result = withPointer(to: &name) { Glibc.bind(descriptor, $0, $1) }
        }
        if result != 0 { throw ListenFailure(action: "bind \(address.rawValue) port \(port)", code: errno) }
    }

    private static func portOf(_ descriptor: Int32, _ address: LoopbackAddress) -> Int {
        switch address {
        case .ipv4:
            var name = sockaddr_in()
            _ = withPointer(to: &name) { pointer, size in
                var size = size
                return getsockname(descriptor, pointer, &size)
            }
            return Int(UInt16(bigEndian: name.sin_port))
        case .ipv6:
            var name = sockaddr_in6()
            _ = withPointer(to: &name) { pointer, size in
                var size = size
                return getsockname(descriptor, pointer, &size)
            }
            return Int(UInt16(bigEndian: name.sin6_port))
        }
    }

    private static func withPointer<Name>(
        to name: inout Name, _ body: (UnsafeMutablePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        withUnsafeMutablePointer(to: &name) { pointer in
            // SAFETY: every address family's structure starts as `sockaddr` does, and its true size goes with it.
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<Name>.size)) }
        }
    }

    /// Switches an integer option on; a kernel that refuses only makes things slower.
    static func set(_ descriptor: Int32, _ level: Int32, _ option: Int32) {
        var on: Int32 = 1
        setsockopt(descriptor, level, option, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    /// The next client, non-blocking and without delayed small writes; nil with the error number when there is none.
    static func accept(_ listening: Int32) -> (descriptor: Int32, code: Int32) {
        let descriptor = Glibc.accept(listening, nil, nil)
        guard descriptor >= 0 else { return (-1, errno) }
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        set(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY)
        return (descriptor, 0)
    }

    /// Now, as the `date` header wants it (RFC 9110 section 5.6.7).
    static func httpDate() -> [UInt8] {
        var seconds = time(nil)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        func two(_ n: Int32) -> String { n < 10 ? "0\(n)" : "\(n)" }
        let day =
            "\(days[Int(parts.tm_wday)]), \(two(parts.tm_mday)) \(months[Int(parts.tm_mon)]) \(1900 + parts.tm_year)"
        return Array("\(day) \(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)) GMT".utf8)
    }
}

/// Where a listener may be reached. Nothing here is ever offered to another machine.
package enum LoopbackAddress: String, Sendable {
    case ipv4 = "127.0.0.1"
    case ipv6 = "::1"
}
