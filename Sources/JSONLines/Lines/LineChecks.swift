/// Judges what a scan found in a line that is valid JSON.
struct LineChecks {
    let scan: LineScan
    let line: Int
    let hasDefaultModel: Bool

    func request() throws(LineError) -> RequestLine {
        guard scan.first == .openBrace else { throw notAnObject }
        if scan.repeated != nil || scan.unknown != nil { throw strayName }
        let form = try checkedForm()
        let customID = try checkedCustomID()
        let className = top(.className)
        if className.isPresent {
            try requireString(className, .className, "class")
            if className.inside.isEmpty {
                throw refuse(.className, "class is empty; name a workload class or remove it")
            }
        }
        let isPlain = form == .plain
        let endpoint =
            switch form {
            case .plain: LineEndpoint.chatCompletions
            case .messageBatch: try checkedParams()
            case .openAIBatch: try checkedEndpoint()
            }
        let model = isPlain ? try checkedPlain() : try checkedBody(endpoint)
        return RequestLine(
            form: form,
            endpoint: endpoint,
            customID: customID.inside,
            customIDNeedsUnescaping: customID.hasEscapes,
            body: isPlain ? nil : top(holder).range,
            model: model.isPresent ? model.inside : nil,
            modelNeedsUnescaping: model.hasEscapes,
            maxOutputTokens: isPlain ? try tokens(top(.maxTokens), .maxTokens) : try checkedMaxTokens(endpoint),
            answers: try checkedAnswers(endpoint),
            beyond: isPlain ? .tokens(0) : beyond(endpoint),
            namesTier: namesTier,
            className: className.isPresent ? className.inside : nil,
            classNameNeedsUnescaping: className.hasEscapes,
            prompt: isPlain ? top(.prompt).range : nil,
            system: top(.system).isPresent ? top(.system).range : nil)
    }

    @inline(__always)
    func top(_ name: LineName) -> LineScan.Value { scan.line[name.rawValue] }

    @inline(__always)
    func inBody(_ name: BodyName) -> LineScan.Value { scan.body[name.rawValue] }

    /// Where the line has its request.
    var holder: LineName {
        if top(.params).isPresent { return .params }
        return top(.prompt).isPresent ? .prompt : .body
    }

    /// The name of a request's member, with its place: a plain line has it at the top.
    func named(_ member: BodyName) -> String {
        holder == .prompt ? member.text.description : "\(holder.text).\(member.text)"
    }

    private func checkedForm() throws(LineError) -> RequestLine.Form {
        for (name, other) in [(LineName.body, LineName.prompt), (.body, .params), (.params, .prompt)]
        where top(name).isPresent && top(other).isPresent {
            throw refuse(.body, "both \(name.text) and \(other.text) are here; keep one of them")
        }
        return switch holder {
        case .params: .messageBatch
        case .prompt: .plain
        default: .openAIBatch
        }
    }

    private func checkedCustomID() throws(LineError) -> LineScan.Value {
        let id = top(.customID)
        guard id.isPresent else {
            throw refuse(.customID, #"custom_id is missing; give every line its own, such as "custom_id":"row-1""#)
        }
        guard id.kind == .string else {
            let advice = id.kind == .number ? #"write it in quotes: "\#(excerpt(id.range))""# : "it must be a string"
            throw refuse(.customID, "custom_id is \(id.kind.article); \(advice)")
        }
        guard !id.inside.isEmpty else { throw refuse(.customID, "custom_id is empty; give every line its own") }
        if id.hasEscapes {
            // SAFETY: read within the borrow of the scan.
            guard !JSONText.hasLoneSurrogate(UnsafeRawBufferPointer(rebasing: scan.cursor.bytes[id.inside])) else {
                throw refuse(
                    .customID,
                    #"custom_id contains half of a surrogate pair (an escape such as \ud800 alone); remove it"#)
            }
            let decoded = JSONText.decodedBytes(UnsafeRawBufferPointer(rebasing: scan.cursor.bytes[id.inside]))
            try checkCustomID(decoded)
        } else {
            // SAFETY: read within the borrow of the scan.
            try checkCustomID(UnsafeRawBufferPointer(rebasing: scan.cursor.bytes[id.inside]))
        }
        return id
    }

    @inline(__always)
    private func checkCustomID(_ text: some Collection<UInt8>) throws(LineError) {
        guard text.count <= RequestLineParser.maximumCustomIDBytes else {
            let limit = RequestLineParser.maximumCustomIDBytes
            throw refuse(.customID, "custom_id has \(text.count) bytes, the maximum is \(limit); shorten it")
        }
        for byte in text where byte < 0x20 || byte == 0x7F {
            let code = String(byte, radix: 16, uppercase: true)
            let name = byte == 0 ? "a NUL" : "the control character U+00\(byte < 16 ? "0" : "")\(code)"
            throw refuse(.customID, "custom_id contains \(name); remove it")
        }
    }

    private func checkedPlain() throws(LineError) -> LineScan.Value {
        for name in [LineName.method, .url] where top(name).isPresent {
            throw refuse(.unknown, "\(name.text) goes with body, not with prompt; remove it")
        }
        try requireString(top(.prompt), .prompt, "prompt")
        if top(.system).isPresent { try requireString(top(.system), .system, "system") }
        return try checked(model: top(.model))
    }

    private func checkedBody(_ endpoint: LineEndpoint) throws(LineError) -> LineScan.Value {
        for name in [LineName.system, .model, .maxTokens] where top(name).isPresent {
            throw refuse(.unknown, "\(name.text) belongs inside \(holder.text); move it there")
        }
        let model = try checked(model: inBody(.model))
        try checkPayload(endpoint)
        let stream = inBody(.stream)
        if stream.isPresent, stream.first != UInt8(ascii: "f"), stream.kind != .null {
            let value = stream.kind == .bool ? "true, which is not possible in a batch" : stream.kind.article
            throw refuse(.stream, "\(named(.stream)) is \(value); remove it")
        }
        return model
    }

    @inline(__always)
    private func checked(model: LineScan.Value) throws(LineError) -> LineScan.Value {
        guard model.isPresent else {
            if hasDefaultModel { return model }
            throw refuse(
                .model, "\(named(.model)) is missing; name a model in every line, or give one for all with --model")
        }
        guard model.kind == .string else {
            throw refuse(.model, "\(named(.model)) is \(model.kind.article); it must be a string")
        }
        if model.inside.isEmpty { throw refuse(.model, "\(named(.model)) is empty; name a model") }
        return model
    }

    @inline(__always)
    func requireString(_ value: LineScan.Value, _ code: LineError.Code, _ name: String) throws(LineError) {
        guard value.kind == .string else { throw refuse(code, "\(name) is \(value.kind.article); it must be a string") }
    }

    func refuse(_ code: LineError.Code, _ reason: String) -> LineError {
        LineError(line: line, code: code, reason: reason)
    }
}

extension JSONSlice.Kind {
    /// The type as an error names it.
    var article: String {
        switch self {
        case .object: "an object"
        case .array: "an array"
        case .string: "a string"
        case .number: "a number"
        case .bool: "a boolean"
        case .null: "null"
        }
    }
}
