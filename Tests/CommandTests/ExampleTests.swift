import Testing

/// What is in `Examples` works as it stands.
@Suite(.turns) struct ExampleTests {
    @Test func `the quickstart ends with every job answered, in fewer than forty lines`() async throws {
        let copy = try Workplace.withExamples()
        let script = try copy.script("quickstart.sh")
        #expect(await script.wait(limit: .seconds(100)) == 0)
        let out = await script.out.whole()
        let err = await script.err.whole()
        let lines = (out + err).split(separator: "\n")
        #expect(lines.count < 40, "\(lines.count) lines:\n\(out)\n\(err)")
        #expect(out.contains("b1  tickets.jsonl  class nightly  done\n    400 jobs: 400 succeeded\n"), "\(out)\n\(err)")
        #expect(out.contains("one of 400 lines:\n{\"id\":\"batch_req_"))
        #expect(out.hasSuffix("== done\n"))
        #expect(err.contains("an earlier run ended with "), "the kill met requests in flight: \(err)")
        #expect(!(out + err).contains("error:"), "\(out)\n\(err)")
    }
}
