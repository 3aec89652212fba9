import Glibc

/// How a transport is set up.
package struct TransportOptions: Sendable {
    /// Requests that may be under way at once; sizes the connection cache and the descriptor limit.
    package var expectedConcurrency: Int
    /// Larger answers are refused; bytes.
    package var largestAnswer: Int
    /// PEM text of certificate authorities to trust besides the system's; empty for none.
    package var extraAuthorities: [UInt8]
    package var userAgent: String

    package init(
        expectedConcurrency: Int = 256, largestAnswer: Int = 64 << 20, extraAuthorities: [UInt8] = [],
        userAgent: String = "offpeak/0.1"
    ) {
        self.expectedConcurrency = expectedConcurrency
        self.largestAnswer = largestAnswer
        self.extraAuthorities = extraAuthorities
        self.userAgent = userAgent
    }

    /// Raises this process's limit of open files to what the concurrency needs. Returns how many connections it
    /// allows, which is less than asked for when the hard limit is too low.
    package func raiseDescriptorLimit() -> Int {
        let reserve = 64
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        let wanted = rlim_t(expectedConcurrency + reserve)
        if limit.rlim_cur < wanted {
            limit.rlim_cur = min(wanted, limit.rlim_max)
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        }
        return min(expectedConcurrency, max(1, Int(clamping: limit.rlim_cur) - reserve))
    }
}

/// Why a transport could not be started.
package struct TransportStartFailure: Error, Sendable {
    package var message: String
}
