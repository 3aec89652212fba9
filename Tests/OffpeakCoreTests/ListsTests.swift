import OffpeakCore
import Testing

@Suite struct `Lists in sentences` {
    @Test func `names are listed as people say them`() {
        #expect([String]().listed() == "" && ["a"].listed() == "a" && ["a", "b"].listed() == "a and b")
        #expect(["a", "b", "c"].listed("or") == "a, b or c")
    }

    @Test func `what is alike comes together, in the order in which it was first met`() {
        #expect([5, 1, 15, 2, 11].grouped { $0 % 10 == $1 % 10 } == [[5, 15], [1, 11], [2]])
        #expect([Int]().grouped(where: ==).isEmpty)
    }
}
