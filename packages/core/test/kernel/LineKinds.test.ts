import { afterEach, describe, expect, it, vi } from "vitest"
import { ProviderLedger } from "../../src/internal/kernel/ProviderLedger.ts"
import { countEverything } from "../../src/RateLimit.ts"
import { lineBench } from "./lineBench.ts"
import { spec } from "./support.ts"

/** Everything the line asks of a provider measures what is free there first. */
const countingQuestions = () => {
  const asked = vi.spyOn(ProviderLedger.prototype, "measure")
  return () => {
    const count = asked.mock.calls.length
    asked.mockClear()
    return count
  }
}

afterEach(() => {
  vi.restoreAllMocks()
})

const charging = { counting: { ...countEverything, chargesMaxTokens: true } }

describe("a line of many kinds", () => {
  it("asks no more for a thousand bounds of output than for the steps they lie in", () => {
    const providers = ["a", "b"].map((name) => spec(name, { requests: 50, tokens: 1_000_000 }, charging))
    const { ask, line, passTo, served, settle } = lineBench(providers)
    for (let index = 0; index < 100; index++) ask(`early ${index}`, 0)
    for (let index = 0; index < 100; index++) settle(`early ${index}`, 0)
    const questions = countingQuestions()
    let most = 0
    for (let index = 0; index < 1_000; index++) {
      ask(`${index}`, 1, { maxTokens: 1 + (index * 7) % 1_000, inputTokens: 10 + index % 50, timeLeftMs: 1e7 })
      most = Math.max(most, questions())
    }
    // 71 steps of two providers, and what is asked for one request.
    expect(most).toBeLessThan(300)
    passTo(60_200, 1)
    expect(served).toHaveLength(200)
    // A hundred turns, a look at the end, and nobody fits: a question for each of a thousand would be 200,000.
    expect(questions()).toBeLessThan(10_000)
    expect(served.slice(100)).toEqual(Array.from({ length: 100 }, (_, index) => `${index}`))
    expect(line.length).toBe(900)
  })

  it("ends a step that has asked enough, and goes on at once", () => {
    const { ask, line, passTo, served, settle } = lineBench([spec("a", { tokens: 10_000 })], { keepAfter: Infinity })
    ask("early", 0, { inputTokens: 9_900, maxTokens: 0 })
    settle("early", 0)
    // Each of candidates of its own, none of which fits while the small ones do.
    for (let index = 0; index < 500; index++) {
      ask(`large ${index}`, 1, { inputTokens: 9_950, maxTokens: 0, tried: [`${index}`], timeLeftMs: 1e7 })
    }
    for (let index = 0; index < 40; index++) {
      ask(`small ${index}`, 2, { inputTokens: 10, maxTokens: 0, timeLeftMs: 1e7 })
    }
    expect(served).toHaveLength(11)
    ask("another", 3, { inputTokens: 60, maxTokens: 0, timeLeftMs: 1e7 })
    const questions = countingQuestions()
    line.ledger.snapshot([spec("a", { tokens: 10_500 })], 5)
    line.dispatch(5)
    expect(questions()).toBeLessThan(15_000)
    expect(line.wakeInMs).toBe(0)
    passTo(10, 5)
    expect(served.slice(11)).toEqual([...Array.from({ length: 30 }, (_, index) => `small ${index + 10}`), "another"])
  })

  it("turns away a few hundred a step of those who are due together", () => {
    const { ask, line, refused, settle } = lineBench([spec("a", { requests: 1 })])
    ask("early", 0)
    settle("early", 0)
    for (let index = 0; index < 1_000; index++) ask(`${index}`, 1, { waitMs: 70_000, timeLeftMs: 1e7 })
    ask("far", 1, { forceProvider: "a", waitMs: 300_000, timeLeftMs: 1e7 })
    line.ledger.force([spec("a", { requests: 1 })], "a", { _tag: "Open", forMs: 200_000 }, 2)
    line.dispatch(70_001)
    expect(refused).toHaveLength(256)
    expect(line.wakeInMs).toBe(0)
    for (let turn = 0; turn < 4; turn++) line.dispatch(70_001)
    expect([refused.length, line.length]).toEqual([1_000, 1])
  })

  it("lets the first in line go at its own moment where others of its kind are answered with more", () => {
    const { ask, line, passTo, served, settle } = lineBench([spec("a", { tokens: 3_000 }, charging)])
    ask("early", 0, { inputTokens: 1_000, maxTokens: 1_000 })
    settle("early", 0, 1_000)
    ask("later", 10_000, { inputTokens: 960, maxTokens: 0 })
    settle("later", 10_000)
    // From 60.2 s on 2,040 are free: it fits, and would not as the larger of the two.
    ask("first", 11_000, { inputTokens: 1_000, maxTokens: 1_030, timeLeftMs: 300_000 })
    ask("larger", 11_001, { inputTokens: 900, maxTokens: 1_150, timeLeftMs: 300_000 })
    line.dispatch(11_002)
    expect(line.wakeInMs).toBe(60_100 - 11_002)
    ask("behind", 11_002, { inputTokens: 100, maxTokens: 0, timeLeftMs: 300_000 })
    ask("far behind", 11_003, { forceProvider: "a", inputTokens: 2_990, maxTokens: 0, timeLeftMs: 300_000 })
    passTo(60_300, 11_003)
    expect(served.slice(2)).toEqual(["first"])
  })

  it("lets the smallest of a kind go at its own moment as well", () => {
    const { ask, line, passTo, served, settle } = lineBench([spec("a", { tokens: 3_000 }, charging)], {
      keepAfter: Infinity
    })
    ask("early", 0, { inputTokens: 1_000, maxTokens: 1_000 })
    settle("early", 0, 1_000)
    ask("later", 10_000, { inputTokens: 960, maxTokens: 0 })
    settle("later", 10_000)
    ask("first", 11_000, { inputTokens: 1_500, maxTokens: 1_150, timeLeftMs: 300_000 })
    ask("small", 11_001, { inputTokens: 1_000, maxTokens: 1_030, timeLeftMs: 300_000 })
    expect(line.wakeInMs).toBe(60_100 - 11_001)
    passTo(60_300, 11_001)
    expect(served.slice(2)).toEqual(["small"])
  })
})
