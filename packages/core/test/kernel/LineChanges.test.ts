import { describe, expect, it } from "vitest"
import type { LimitReading } from "../../src/RateLimit.ts"
import { lineBench } from "./lineBench.ts"
import { spec } from "./support.ts"

const oneAMinute = [spec("a", { requests: 1 })]

const tellsTokens = (limit: number): ReadonlyArray<LimitReading> => [{ dimension: "tokens", limit }]

describe("what changes while requests wait", () => {
  it("refuses those in line once no provider is left", () => {
    const { ask, line, refused, settle } = lineBench(oneAMinute)
    ask("x", 0)
    settle("x", 0)
    ask("1", 1)
    line.ledger.snapshot([], 40_000)
    line.dispatch(40_000)
    expect([refused, line.length, line.wakeInMs]).toEqual([["1:Refused"], 0, Infinity])
  })

  it("refuses the one whose forced provider is gone, and lets the others wait", () => {
    const providers = [...oneAMinute, spec("b", { requests: 1 })]
    const { ask, line, refused, settle } = lineBench(providers)
    for (const name of ["x", "y"]) ask(name, 0)
    for (const name of ["x", "y"]) settle(name, 0)
    ask("on b", 1, { forceProvider: "b" })
    ask("anywhere", 1)
    line.ledger.snapshot(oneAMinute, 2)
    line.dispatch(2)
    expect([refused, line.length]).toEqual([["on b:Refused"], 1])
  })

  it("refuses those that are larger than a limit is from now on, and nobody else", () => {
    const { ask, line, passTo, refused, served, settle } = lineBench([spec("a", { tokens: 1_000 })])
    ask("x", 0, { inputTokens: 500, maxTokens: 1 })
    ask("large", 1, { inputTokens: 800, maxTokens: 1 })
    ask("fits", 1, { inputTokens: 600, maxTokens: 1 })
    settle("x", 2, 1, { limits: tellsTokens(700) } as object)
    expect([refused, line.length]).toEqual([["large:Refused"], 1])
    passTo(70_000, 2)
    expect(served).toEqual(["x", "fits"])
  })

  it("refuses at once what is too large, however long it would wait, and closes the provider to nobody", () => {
    const { ask, line, refused, served } = lineBench([spec("a", { tokens: 1_000 })], { keepAfter: 0 })
    ask("never", 1, { inputTokens: 2_000, timeLeftMs: Infinity })
    expect([refused, line.length]).toEqual([["never:Refused"], 0])
    ask("other", 2, { inputTokens: 10, maxTokens: 1 })
    expect(served).toEqual(["other"])
  })

  it("opens a provider again that was kept for somebody when it left", () => {
    const { ask, line, passTo, served, settle } = lineBench([spec("a", { tokens: 1_000 })], { keepAfter: 10_000 })
    const [a] = [spec("a", { tokens: 1_000 })]
    ask("start", 0, { inputTokens: 600, maxTokens: 1 })
    settle("start", 0)
    const large = ask("large", 1, { inputTokens: 900, maxTokens: 1 })
    passTo(20_000, 1)
    line.ledger.snapshot([spec("b", { tokens: 10 })], 20_001)
    if (!("_tag" in large)) line.leave(large, 20_002)
    line.ledger.snapshot([a!], 20_003)
    line.dispatch(20_003)
    expect(line.ledger.providers[0]!.keptFor).toBeUndefined()
    expect(served).toEqual(["start"])
  })

  it("queues nobody once it is closed", () => {
    const { ask, line, refused, settle } = lineBench(oneAMinute)
    ask("x", 0)
    settle("x", 0)
    line.close(1)
    ask("late", 2)
    expect([refused, line.length, line.wakeInMs]).toEqual([["late:Closed"], 0, Infinity])
  })
})

describe("keeping room", () => {
  /** Requests of the high lane take what there is; whether a large one of the low lane gets its turn, and when. */
  const servedAtMs = (ageing: number) => {
    const { ask, passTo, served, settle } = lineBench([spec("a", { tokens: 1_000 })], { keepAfter: 10_000, ageing })
    ask("start", 0, { inputTokens: 600, maxTokens: 1 })
    settle("start", 0)
    ask("large", 1, { inputTokens: 900, maxTokens: 1, lane: "low", timeLeftMs: 1e7 })
    for (let nowMs = 2_000; nowMs < 600_000; nowMs += 2_000) {
      passTo(nowMs, nowMs - 2_000)
      if (served.includes("large")) return nowMs
      const name = `high ${nowMs}`
      ask(name, nowMs, { inputTokens: 100, maxTokens: 1, waitMs: 0, lane: "high" })
      if (served.at(-1) === name) settle(name, nowMs)
    }
    return undefined
  }

  it("closes the kept room to higher lanes as well in time, so that the low lane does not starve", () => {
    // Kept from 10 s on, and closed to the high lane twice the ageing later: at 50 s none has begun a second window.
    expect(servedAtMs(20_000)).toBe(68_000)
    expect(servedAtMs(0)).toBe(68_000)
    // Until 70 s some have, the last at 70 s.
    expect(servedAtMs(30_000)).toBe(132_000)
    expect(servedAtMs(Infinity)).toBeUndefined()
  })

  it("serves by arrival within a lane whatever the ageing", () => {
    const { ask, passTo, served, settle } = lineBench([spec("a", { requests: 1 })], { ageing: Infinity })
    ask("x", 0)
    settle("x", 0)
    for (const [index, maxTokens] of [5, 4, 5].entries()) ask(`${index}`, 10, { maxTokens, timeLeftMs: 400_000 })
    for (let turn = 1; turn < 4; turn++) {
      passTo(turn * 61_000, (turn - 1) * 61_000 + 10)
      if (served[turn] !== undefined) settle(served[turn]!, turn * 61_000)
    }
    expect(served).toEqual(["x", "0", "1", "2"])
  })
})

describe("at the edge of what fits", () => {
  it("serves the share of a lane to the last token", () => {
    // 46 % of 30,000 is 13,800, and a hair less where it is worked out as 30,000 less 54 %.
    const { ask, passTo, served, settle } = lineBench([spec("a", { tokens: 30_000 })], {}, {
      highPriorityReservePct: 54
    })
    ask("x", 0, { inputTokens: 100, maxTokens: 0 })
    settle("x", 0)
    ask("exact", 1, { inputTokens: 13_800, maxTokens: 0, timeLeftMs: 300_000 })
    passTo(62_000, 1)
    expect(served).toEqual(["x", "exact"])
  })

  it("finds room where one limit is empty and another is not", () => {
    const providers = [spec("a", { tokens: 1_000, tokensPerDay: 2_000 })]
    const { ask, passTo, served, settle } = lineBench(providers, { keepAfter: Infinity })
    ask("x", 0, { inputTokens: 900 })
    settle("x", 0, 10)
    ask("y", 1, { inputTokens: 990, timeLeftMs: 200_000 })
    passTo(62_000, 1)
    expect(served).toEqual(["x", "y"])
  })

  it("serves a request whose answer is charged beside a margin that would not fit", () => {
    const counting = { chargesMaxTokens: true, cacheRead: 1, cacheWrite: 1 }
    const { ask, line, refused, served, settle } = lineBench([spec("a", { tokens: 10_000 }, { counting })])
    for (let turn = 0; turn < 40; turn++) {
      ask(`${turn}`, turn * 60_200, { inputTokens: 1_000, maxTokens: 1 })
      const inputTokens = turn % 2 === 0 ? 800 : 1_200
      settle(`${turn}`, turn * 60_200, 0, { usage: { inputTokens, outputTokens: 1 } })
    }
    ask("large", 40 * 60_200, { inputTokens: 7_000, maxTokens: 2_000 })
    expect([refused, served.at(-1), line.length]).toEqual([[], "large", 0])
  })
})
