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

    @Test func `reasons that differ in their amounts alone are one, and names keep their digits`() {
        let budget =
            "the budget of 1.00 USD per day of class c is used up: 0.98 USD are spent, and one more may cost 0.03 USD"
        #expect(
            budget.withoutAmounts == budget.replacing("0.98", with: "7").replacing("0.03", with: "12").withoutAmounts)
        #expect("key a1: all 5 in use".withoutAmounts != "key a2: all 5 in use".withoutAmounts)
        #expect("gpt-5 for 3, or so".withoutAmounts == "gpt-5 for or so" && "".withoutAmounts == "")
    }
}
