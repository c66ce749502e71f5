import { describe, expect, it } from "vitest"
import { lineBench } from "./lineBench.ts"
import { spec } from "./support.ts"

const small = { inputTokens: 50, maxTokens: 0, timeLeftMs: 60_000 }

/** A steady stream of small requests, one each `everyMs`, and a large one each 10 min; each call ends at once. */
const steadily = (everyMs: number, share: number) => {
  const { ask, passTo, refused, served, settle } = lineBench([spec("a", { tokens: 10_000 })])
  let settled = 0
  for (let nowMs = 0; nowMs < 2_000_000; nowMs += 20) {
    if (nowMs > 0) passTo(nowMs, nowMs - 20)
    if (nowMs % everyMs === 0) ask(`small ${nowMs}`, nowMs, small)
    if (nowMs > 0 && nowMs % 600_000 === 0) ask(`large ${nowMs}`, nowMs, { ...small, inputTokens: share * 10_000 })
    for (; settled < served.length; settled++) settle(served[settled]!, nowMs)
  }
  const isLarge = (name: string) => name.startsWith("large")
  return { served: served.filter(isLarge).length, refused: refused.filter(isLarge).length, passed: served.length }
}

describe("a large request among many small ones", () => {
  it("is served in time below capacity, whatever its share of the limit", () => {
    for (const [everyMs, share] of [[340, 0.5], [400, 0.5], [400, 0.9]] as const) {
      expect(steadily(everyMs, share)).toMatchObject({ served: 3, refused: 0 })
    }
  }, 60_000)

  it("is passed as long as that does not make it late", () => {
    const { ask, line, passTo, served, settle } = lineBench([spec("a", { tokens: 1_000 })])
    ask("start", 0, { inputTokens: 700, maxTokens: 0 })
    settle("start", 0)
    ask("large", 30_000, { inputTokens: 600, maxTokens: 0, timeLeftMs: 60_000 })
    // It has room from 60.1 s on, and is due at 90 s: 400 may still be taken until then.
    ask("1", 30_100, { inputTokens: 200, maxTokens: 0 })
    passTo(30_200, 30_100)
    expect([served, line.ledger.providers[0]!.keptFor]).toEqual([["start", "1"], undefined])
    ask("2", 30_200, { inputTokens: 100, maxTokens: 0 })
    settle("1", 30_200)
    expect(served).toEqual(["start", "1", "2"])
    settle("2", 30_200)
    passTo(60_300, 30_200)
    expect(served).toEqual(["start", "1", "2", "large"])
  })

  it("keeps room from the moment on that one more would make it late, for that one alone", () => {
    const { ask, line, passTo, refused, served, settle } = lineBench([spec("a", { tokens: 1_000 })])
    ask("start", 0, { inputTokens: 700, maxTokens: 0 })
    settle("start", 0)
    ask("large", 30_000, { inputTokens: 900, maxTokens: 0, timeLeftMs: 60_000 })
    ask("1", 30_100, { inputTokens: 90, maxTokens: 0 })
    expect(served).toEqual(["start", "1"])
    settle("1", 30_100)
    ask("2", 30_200, { inputTokens: 90, maxTokens: 0 })
    expect(served).toEqual(["start", "1"])
    expect(line.ledger.providers[0]!.keptFor?.demand.inputTokens).toBe(900)
    // The one it was kept for gives up: the next goes.
    passTo(60_300, 30_200)
    expect([served, refused]).toEqual([["start", "1", "large"], []])
  })

  it("is passed again once a call under way has given something back", () => {
    const { ask, line, served, settle } = lineBench([spec("a", { tokens: 1_000 })])
    ask("start", 0, { inputTokens: 700, maxTokens: 0 })
    settle("start", 0)
    ask("call", 29_990, { inputTokens: 90, maxTokens: 0 })
    ask("large", 30_000, { inputTokens: 900, maxTokens: 0, timeLeftMs: 60_000 })
    ask("small", 30_100, { inputTokens: 90, maxTokens: 0 })
    expect(line.ledger.providers[0]!.keptFor?.demand.inputTokens).toBe(900)
    settle("call", 30_200, 0, { _tag: "Unused" })
    expect(served).toEqual(["start", "call", "small"])
  })

  it("is passed where another provider has room for it in time, and by whoever goes elsewhere", () => {
    const providers = [spec("a", { tokens: 1_000 }), spec("b", { tokens: 1_000 })]
    const { ask, served, settle } = lineBench(providers)
    for (const forceProvider of ["a", "b"]) ask(forceProvider, 0, { inputTokens: 700, maxTokens: 0, forceProvider })
    for (const forceProvider of ["a", "b"]) settle(forceProvider, 0)
    ask("large", 30_000, { inputTokens: 900, maxTokens: 0, timeLeftMs: 60_000 })
    const medium = { inputTokens: 200, maxTokens: 0 }
    ask("1", 30_100, { ...medium, forceProvider: "a" })
    // Only b is left in time for the large one.
    ask("2", 30_200, { ...medium, forceProvider: "b" })
    ask("3", 30_300, { inputTokens: 50, maxTokens: 0 })
    expect(served).toEqual(["a", "b", "1", "3"])
  })

  it("gives up its room in order of lane and arrival", () => {
    const { ask, line, passTo, served, settle } = lineBench([spec("a", { tokens: 1_000 })], { keepAfter: 10_000 })
    ask("used", 0, { inputTokens: 300, maxTokens: 0 })
    settle("used", 0)
    ask("call", 1_000, { inputTokens: 300, maxTokens: 300 })
    ask("large", 1_001, { inputTokens: 900, maxTokens: 1, timeLeftMs: 300_000, waitMs: 80_000 })
    passTo(12_000, 1_001)
    expect(line.ledger.providers[0]!.keptFor).toBeDefined()
    ask("low", 12_900, { inputTokens: 330, maxTokens: 0, lane: "low" })
    ask("first", 13_000, { inputTokens: 350, maxTokens: 2 })
    ask("second", 13_001, { inputTokens: 340, maxTokens: 2 })
    // The call ends so late that the large one is in vain.
    settle("call", 30_000, 0, { usage: { inputTokens: 100, outputTokens: 190 } })
    expect(served.slice(2)).toEqual(["first"])
    expect(line.ledger.providers[0]!.keptFor).toBeUndefined()
  })
})

describe("looking again", () => {
  const wakesIn = (line: ReturnType<typeof lineBench>["line"], fromMs: number, untilMs: number) => {
    let wakes = 0
    for (let nowMs = fromMs; nowMs + line.wakeInMs <= untilMs; wakes++) {
      nowMs += line.wakeInMs
      line.dispatch(nowMs)
    }
    return wakes
  }

  it("is left to the end of a call where only that makes room", () => {
    for (const limits of [{ concurrent: 1 }, { tokens: 300 }]) {
      const { ask, line, served, settle } = lineBench([spec("a", limits)])
      ask("x", 0)
      ask("waits", 1, { timeLeftMs: 600_000 })
      expect(wakesIn(line, 1, 500_000)).toBe(0)
      settle("x", 500_000, 1)
      passToEnd(line, 500_000)
      expect(served).toEqual(["x", "waits"])
    }
  })

  it("is left to the probe's end, or to the time after which it keeps nobody away", () => {
    const { ask, line, served } = lineBench([spec("a")])
    line.ledger.snapshot([spec("a")], 0)
    line.ledger.force([spec("a")], "a", { _tag: "Open", forMs: 1_000 }, 0)
    ask("probe", 1_000)
    ask("waits", 1_001, { timeLeftMs: 600_000 })
    expect(line.wakeInMs).toBe(31_000 - 1_001)
    expect(wakesIn(line, 1_001, 30_999)).toBe(0)
    line.dispatch(31_000)
    expect(served).toEqual(["probe", "waits"])
  })

  it("is left to the end of the ramp, or of a call on it", () => {
    const { ask, line, served, settle } = lineBench([spec("a")])
    line.ledger.snapshot([spec("a")], 0)
    line.ledger.force([spec("a")], "a", { _tag: "Open", forMs: 1_000 }, 0)
    ask("probe", 1_000)
    settle("probe", 2_000)
    ask("on the ramp", 3_000)
    ask("waits", 3_001, { timeLeftMs: 600_000 })
    expect(line.wakeInMs).toBe(32_000 - 3_001)
    line.dispatch(32_000)
    expect(served).toEqual(["probe", "on the ramp", "waits"])
  })

  it("does not wake those whom room is kept from", () => {
    const { ask, line, passTo, served, settle } = lineBench([spec("a", { tokens: 1_000 })], { keepAfter: 10_000 })
    ask("start", 0, { inputTokens: 600, maxTokens: 0 })
    settle("start", 0)
    ask("large", 1, { inputTokens: 900, maxTokens: 0 })
    passTo(20_000, 1)
    ask("small", 20_000, { inputTokens: 100, maxTokens: 0, timeLeftMs: 300_000 })
    expect(wakesIn(line, 20_000, 60_000)).toBe(0)
    passTo(60_200, 60_000)
    expect(served).toEqual(["start", "large", "small"])
  })
})

const passToEnd = (line: ReturnType<typeof lineBench>["line"], fromMs: number) => {
  for (let nowMs = fromMs; line.length > 0; line.dispatch(nowMs)) nowMs += line.wakeInMs
}
