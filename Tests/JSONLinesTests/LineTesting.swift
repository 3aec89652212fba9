import JSONLines

/// A seeded generator (SplitMix64), so that a failing case comes again.
struct Seeded: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// What the parser makes of a line: what it found, as texts, or its error.
struct ParsedLine: Equatable {
    var form: RequestLine.Form
    var endpoint: LineEndpoint
    var customID: String
    var model: String?
    var className: String?
    var body: String
    var maxOutputTokens: Int?
    var answers: Int
    var mostOutputTokens: Int?
    var beyond: RequestLine.Beyond

    init(_ line: [UInt8], number: Int = 2, defaultModel: String? = nil) throws(LineError) {
        var parser = RequestLineParser(defaultModel: defaultModel)
        self = try line.withUnsafeBufferPointer { (buffer) throws(LineError) in
            // SAFETY: everything is copied out within the borrow.
            let bytes = UnsafeRawBufferPointer(buffer)
            return ParsedLine(try parser.parse(bytes, line: number), defaultModel, bytes)
        }
    }

    private init(_ request: RequestLine, _ defaultModel: String?, _ bytes: UnsafeRawBufferPointer) {
        form = request.form
        endpoint = request.endpoint
        customID = request.customID(in: bytes)
        model = request.model(in: bytes)
        className = request.className(in: bytes)
        body = String(decoding: request.body(defaultModel: defaultModel, in: bytes), as: UTF8.self)
        maxOutputTokens = request.maxOutputTokens
        answers = request.answers
        mostOutputTokens = request.mostOutputTokens
        beyond = request.beyond
    }
}

/// The code and reason of a bad line, as "code: reason"; "accepted" for a good one.
func refusal(_ line: [UInt8], number: Int = 2, defaultModel: String? = nil) -> String {
    do throws(LineError) {
        _ = try ParsedLine(line, number: number, defaultModel: defaultModel)
        return "accepted"
    } catch {
        return "\(error.code.rawValue): \(error.reason)"
    }
}

func refusal(_ line: String, number: Int = 2) -> String { refusal(Array(line.utf8), number: number) }
