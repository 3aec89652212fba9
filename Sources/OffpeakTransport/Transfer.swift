import CCurl
import Glibc
import OffpeakProviders

/// One request under way on a libcurl handle. Handles, and with them their buffers, are used again and again.
final class Transfer {
    let easy: OpaquePointer
    private(set) var id: UInt64 = 0
    /// In ms of the monotonic clock.
    var deadline: Int64 = 0
    private var body: [UInt8] = []
    private var sentOfBody = 0
    private var headers: [(name: String, value: String)] = []
    private var answer: [UInt8] = []
    private var isTooLarge = false
    /// An answer's status line has come, not counting interim answers.
    private var hasAnswer = false
    /// All headers of the answer have come; what follows as a header is a trailer.
    private var hasWholeHead = false
    private var headSize = 0
    /// How often libcurl had a connection and began to send: more than once if it sends again by itself.
    private var beginnings = 0
    /// libcurl has turned to another connection after it had begun to send on one.
    private var hasMoved = false
    /// The connection on which the request was begun speaks HTTP/2.
    private(set) var speaksHTTP2 = false
    /// The https server it goes to; nil for plain http.
    private(set) var origin: String?
    /// Called when libcurl has a connection and begins to send, from within libcurl.
    var onBegin: ((Transfer) -> Void)?
    private var headerList: UnsafeMutablePointer<curl_slist>?
    private let largestAnswer: Int
    private let errorText: UnsafeMutablePointer<CChar>

    private static let errorSize = 256
    /// All header lines together may be this long.
    private static let largestHead = 256 << 10

    init?(options: TransportOptions) {
        guard let easy = curl_easy_init() else { return nil }
        self.easy = easy
        largestAnswer = options.largestAnswer
        errorText = .allocate(capacity: Self.errorSize)
        errorText.initialize(repeating: 0, count: Self.errorSize)
        setLasting(options)
    }

    deinit {
        curl_easy_cleanup(easy)
        curl_slist_free_all(headerList)
        errorText.deallocate()
    }

    // MARK: Options

    private func set(_ option: Int, _ value: Int) {
        _ = offpeak_curl_set_long(easy, Int32(option), value)
    }

    private func set(_ option: Int, _ value: UnsafeMutableRawPointer?) {
        _ = offpeak_curl_set_pointer(easy, Int32(option), value)
    }

    private func set(_ option: Int, text: String?) {
        _ = offpeak_curl_set_string(easy, Int32(option), text)
    }

    /// What never changes.
    private func setLasting(_ options: TransportOptions) {
        let me = Unmanaged.passUnretained(self).toOpaque()
        set(CURLOPT_PRIVATE, me)
        set(CURLOPT_NOSIGNAL, 1)
        set(CURLOPT_NOPROGRESS, 1)
        set(CURLOPT_FOLLOWLOCATION, 0)
        set(CURLOPT_PROTOCOLS_STR, text: "http,https")
        set(CURLOPT_SSL_VERIFYPEER, 1)
        set(CURLOPT_SSL_VERIFYHOST, 2)
        set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_2TLS))
        set(CURLOPT_TCP_NODELAY, 1)
        set(CURLOPT_TCP_KEEPALIVE, 1)
        set(CURLOPT_UPLOAD_BUFFERSIZE, 16_384)
        // Many model servers close idle connections after 5 s; one that closes just as we send costs an unknown outcome.
        // libcurl cuts the idle time to whole seconds and compares with "more than": this is less than 4 s.
        set(CURLOPT_MAXAGE_CONN, 3)
        // What a proxy says to CONNECT is not the answer.
        set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        set(CURLOPT_ACCEPT_ENCODING, text: "")
        set(CURLOPT_USERAGENT, text: options.userAgent)
        set(CURLOPT_ERRORBUFFER, errorText)
        setAuthorities(options.extraAuthorities)
        set(CURLOPT_WRITEDATA, me)
        set(CURLOPT_HEADERDATA, me)
        set(CURLOPT_READDATA, me)
        _ = offpeak_curl_set_data(easy, Int32(CURLOPT_WRITEFUNCTION)) { bytes, size, count, me in
            Transfer.of(me!).received(UnsafeRawBufferPointer(start: bytes, count: size * count))
        }
        _ = offpeak_curl_set_data(easy, Int32(CURLOPT_HEADERFUNCTION)) { bytes, size, count, me in
            Transfer.of(me!).receivedHeader(UnsafeRawBufferPointer(start: bytes, count: size * count))
        }
        _ = offpeak_curl_set_data(easy, Int32(CURLOPT_READFUNCTION)) { bytes, size, count, me in
            Transfer.of(me!).read(into: UnsafeMutableRawBufferPointer(start: bytes, count: size * count))
        }
        setMilestones(me)
    }

    /// Where libcurl tells how far it is, beyond the bytes.
    private func setMilestones(_ me: UnsafeMutableRawPointer) {
        _ = offpeak_curl_set_opened(
            easy,
            { me, socket, _ in
                // Programs that this one starts, such as a secret's command, must not hold connections open.
                _ = fcntl(socket, F_SETFD, FD_CLOEXEC)
                Transfer.of(me!).opened()
                return 0
            }, me)
        _ = offpeak_curl_set_prerequest(
            easy,
            { me, _, _, _, _ in
                Transfer.of(me!).begin()
                return 0
            }, me)
        // libcurl sends a request again by itself when a connection that it had used before dies without an answer,
        // although the server may have done the work. A body that cannot be rewound makes it report that instead.
        _ = offpeak_curl_set_seek(
            easy,
            { me, offset, _ in
                Int32(Transfer.of(me!).rewind(to: Int(offset)) ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL)
            }, me)
    }

    private func setAuthorities(_ pem: [UInt8]) {
        guard !pem.isEmpty else {
            // With the system's authorities in a file and in a directory (Debian), libcurl reads the file anew for every
            // connection, which costs more than all the rest of it. With the file alone it does so once.
            var file: UnsafePointer<CChar>?
            if offpeak_curl_get_string(easy, Int32(CURLINFO_CAINFO), &file) == 0, file != nil {
                set(CURLOPT_CAPATH, text: nil)
            }
            return
        }
        pem.withUnsafeBytes { bytes in
            // Flag 1: libcurl copies the data.
            var blob = curl_blob(data: UnsafeMutableRawPointer(mutating: bytes.baseAddress), len: bytes.count, flags: 1)
            withUnsafeMutablePointer(to: &blob) { set(CURLOPT_CAINFO_BLOB, $0) }
        }
    }

    /// Prepares the handle for a request. `timeout` is what is left of the request's own, in milliseconds.
    func prepare(_ request: HTTPRequest, id: UInt64, origin: String?, isLoopback: Bool, timeout: Int) {
        self.id = id
        self.origin = origin
        body = request.body
        sentOfBody = 0
        headers = []
        answer = []
        (isTooLarge, hasAnswer, hasWholeHead, headSize) = (false, false, false, 0)
        (beginnings, hasMoved, speaksHTTP2) = (0, false, false)
        errorText[0] = 0
        set(CURLOPT_URL, text: request.url)
        set(CURLOPT_TIMEOUT_MS, max(1, timeout))
        // A proxy from the environment is for the world outside.
        set(CURLOPT_PROXY, text: isLoopback ? "" : nil)
        curl_slist_free_all(headerList)
        headerList = nil
        for (name, value) in request.headers { headerList = curl_slist_append(headerList, "\(name): \(value)") }
        headerList = curl_slist_append(headerList, "Expect:")
        set(CURLOPT_HTTPHEADER, headerList)
        if request.method == "GET" {
            set(CURLOPT_HTTPGET, 1)
        } else {
            set(CURLOPT_UPLOAD_AS_POST, 1)
            _ = offpeak_curl_set_size(easy, Int32(CURLOPT_POSTFIELDSIZE_LARGE), Int64(body.count))
        }
    }

    // MARK: What libcurl calls

    static func of(_ pointer: UnsafeMutableRawPointer) -> Transfer {
        Unmanaged<Transfer>.fromOpaque(pointer).takeUnretainedValue()
    }

    private func received(_ bytes: UnsafeRawBufferPointer) -> Int {
        hasAnswer = true
        guard answer.count + bytes.count <= largestAnswer else {
            isTooLarge = true
            return 0
        }
        answer.append(contentsOf: bytes)
        return bytes.count
    }

    private func receivedHeader(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard !hasWholeHead else { return bytes.count }
        headSize += bytes.count
        guard headSize <= Self.largestHead else {
            isTooLarge = true
            return 0
        }
        let line = bytes.prefix { $0 != 13 && $0 != 10 }
        if line.isEmpty {
            hasWholeHead = hasAnswer
        } else if line.starts(with: "HTTP/".utf8) {
            // An interim answer (100, 103) may have come before, and is none.
            headers = []
            hasAnswer = line.drop { $0 != 32 }.dropFirst().first != UInt8(ascii: "1")
        } else if let colon = line.firstIndex(of: 58), colon > line.startIndex, !Self.isBlank(line[line.startIndex]) {
            let name = String(decoding: line[..<colon], as: UTF8.self).lowercased()
            var value = line[(colon + 1)...].drop(while: Self.isBlank)
            while let last = value.last, Self.isBlank(last) { value.removeLast() }
            let text = String(decoding: value, as: UTF8.self)
            if name == "content-length", let length = Int(text) { answer.reserveCapacity(min(max(0, length), 1 << 20)) }
            headers.append((name, text))
        }
        return bytes.count
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 32 || byte == 9 }

    private func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(buffer.count, body.count - sentOfBody)
        body.withUnsafeBytes {
            buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[sentOfBody..<sentOfBody + count]))
        }
        sentOfBody += count
        return count
    }

    private func opened() {
        if beginnings > 0 { hasMoved = true }
    }

    private func begin() {
        beginnings += 1
        speaksHTTP2 = offpeak_curl_speaks_http2(easy) != 0
        onBegin?(self)
    }

    /// Whether libcurl may send again what it has sent before.
    private func rewind(to offset: Int) -> Bool {
        // A server that never had the whole body cannot have worked on it.
        guard sentOfBody < body.count, 0...body.count ~= offset else { return false }
        sentOfBody = offset
        hasMoved = false
        return true
    }

    // MARK: How it ended

    /// What came of the request, by libcurl's result code.
    func exchange(code: Int32) -> HTTPExchange {
        if Int(code) == CURLE_OK, hasWholeHead {
            var status = 0
            _ = offpeak_curl_get_long(easy, Int32(CURLINFO_RESPONSE_CODE), &status)
            defer { letGo() }
            return .response(HTTPResponse(status: status, headers: headers, body: answer))
        }
        defer { letGo() }
        let isSent = wasFullySent(code)
        return .failure(
            TransportFailure(
                kind: kind(of: code, isSent: isSent), requestFullySent: isSent, answerStarted: hasAnswer,
                message: Self.oneLine(detail(of: code, isSent: isSent))))
    }

    private func detail(of code: Int32, isSent: Bool) -> String {
        if Int(code) == CURLE_OK { return "the connection ended within the answer's headers" }
        if isTooLarge { return "the answer exceeds what is accepted" }
        if Int(code) == CURLE_SEND_FAIL_REWIND { return "the connection ended without an answer" }
        let text = errorText[0] == 0 ? String(cString: curl_easy_strerror(code)) : String(cString: errorText)
        // Without these words it would read as if nothing had been sent.
        return isSent && Self.isOfConnecting(code) ? "no other could be made: \(text)" : text
    }

    /// What came of it when it is not libcurl that ends it.
    func exchange(ending kind: TransportFailure.Kind, _ message: String) -> HTTPExchange {
        defer { letGo() }
        return .failure(
            TransportFailure(
                kind: kind, requestFullySent: wasFullySent(0), answerStarted: hasAnswer, message: message))
    }

    /// Large buffers are not kept with an idle handle.
    private func letGo() {
        body = []
        answer = []
        headers = []
    }

    private func wasFullySent(_ code: Int32) -> Bool {
        guard beginnings > 0, sentOfBody == body.count else { return false }
        // libcurl counts from 0 again for the next connection that it tries; what the first one took stays taken.
        if hasMoved || Int(code) == CURLE_SEND_FAIL_REWIND || Self.isOfConnecting(code) { return true }
        var uploaded: Int64 = 0
        _ = offpeak_curl_get_size(easy, Int32(CURLINFO_SIZE_UPLOAD_T), &uploaded)
        return uploaded >= Int64(body.count)
    }

    private func kind(of code: Int32, isSent: Bool) -> TransportFailure.Kind {
        if isTooLarge { return .tooLarge }
        switch Int(code) {
        case CURLE_OPERATION_TIMEDOUT: return .timedOut
        // It was sent on a connection that broke, and no other could be made.
        case _ where isSent && Self.isOfConnecting(code): return .broken
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM,
            CURLE_SSL_CIPHER, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR:
            return .tls
        case CURLE_UNSUPPORTED_PROTOCOL, CURLE_URL_MALFORMAT: return .other
        // Whatever goes wrong before there is a connection to send on, such as a proxy that refuses.
        default: return beginnings == 0 ? .connect : .broken
        }
    }

    /// Errors that libcurl reports only while it makes a connection.
    private static func isOfConnecting(_ code: Int32) -> Bool {
        switch Int(code) {
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_CONNECT, CURLE_SSL_CONNECT_ERROR,
            CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER, CURLE_SSL_CACERT_BADFILE,
            CURLE_SSL_ISSUER_ERROR:
            true
        default: false
        }
    }

    private static func oneLine(_ text: String) -> String {
        String(text.unicodeScalars.map { $0.value < 32 ? " " : Character($0) }.prefix(200))
    }
}
