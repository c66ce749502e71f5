import { FastCheck as fc } from "effect"
import { describe, expect, it } from "vitest"
import type { Demand } from "../../src/RouterState.ts"
import { lineBench as bench } from "./lineBench.ts"
import { spec } from "./support.ts"

const oneAMinute = [spec("a", { requests: 1 })]

describe("Line", () => {
  it("serves at once where there is room, and else at the exact moment there is some", () => {
    const { ask, line, passTo, served, settle } = bench(oneAMinute)
    ask("first", 0)
    settle("first", 200)
    ask("second", 1_000)
    expect(served).toEqual(["first"])
    expect(line.wakeInMs).toBe(60_300 - 1_000)
    passTo(60_299, 1_000)
    expect(served).toEqual(["first"])
    passTo(60_300, 60_299)
    expect(served).toEqual(["first", "second"])
    expect([line.length, line.wakeInMs]).toEqual([0, Infinity])
  })

  it("is woken by a settlement that gives room back", () => {
    const { ask, refused, served, settle } = bench([spec("a", { tokens: 1_000 })])
    ask("large", 0, { inputTokens: 700 })
    // The first took 256 for its answer, on a guess: what it does not need may be free at any moment.
    ask("small", 1, { inputTokens: 200, maxTokens: 10, waitMs: 30_000 })
    expect([served, refused]).toEqual([["large"], []])
    settle("large", 100, 50)
    expect(served).toEqual(["large", "small"])
  })

  it("lets one wait for what a call under way may give back of its input", () => {
    const { ask, refused, served, settle } = bench([spec("a", { inputTokens: 1_000 })])
    ask("large", 0, { inputTokens: 900 })
    ask("small", 1, { inputTokens: 200, waitMs: 30_000 })
    expect([served, refused]).toEqual([["large"], []])
    settle("large", 100, 0, { usage: { inputTokens: 500, outputTokens: 0 } })
    expect(served).toEqual(["large", "small"])
  })

  it("goes by lane, then by arrival", () => {
    const { ask, passTo, served, settle } = bench([spec("a", { requests: 10 })])
    for (let turn = 0; turn < 10; turn++) ask(`early ${turn}`, 0)
    for (let turn = 0; turn < 10; turn++) settle(`early ${turn}`, 0)
    ask("low 1", 1, { lane: "low" })
    ask("normal 1", 2)
    ask("high 1", 3, { lane: "high" })
    ask("normal 2", 4, { maxTokens: 5 })
    ask("high 2", 5, { lane: "high", maxTokens: 9 })
    passTo(61_000, 5)
    expect(served.slice(10)).toEqual(["high 1", "high 2", "normal 1", "normal 2", "low 1"])
  })

  it("lets the newest go first where it is told so", () => {
    const { ask, passTo, served, settle } = bench([spec("a", { requests: 3 })], { order: "lifo" })
    for (const name of ["x", "y", "z"]) ask(name, 0)
    for (const name of ["x", "y", "z"]) settle(name, 0)
    for (const [index, name] of ["1", "2", "3"].entries()) ask(name, 10 + index)
    passTo(61_000, 12)
    expect(served.slice(3)).toEqual(["3", "2", "1"])
  })

  it("lets one that came much earlier go before a higher lane", () => {
    const order = (highAtMs: number) => {
      const { ask, passTo, served, settle } = bench([spec("a", { requests: 1 })], { ageing: 20_000 })
      ask("x", 0)
      settle("x", 0)
      ask("normal", 30_000)
      ask("high", highAtMs, { lane: "high" })
      passTo(60_200, highAtMs)
      return served[1]
    }
    expect([49_000, 51_000].map(order)).toEqual(["high", "normal"])
  })

  it("lets one that fits pass one that does not, until that has waited for long enough", () => {
    const passes = (keepAfter: number) => {
      const { ask, passTo, served, settle } = bench([spec("a", { tokens: 1_000 })], { keepAfter })
      ask("start", 0, { inputTokens: 600, maxTokens: 1 })
      settle("start", 0)
      ask("large", 1, { inputTokens: 900, maxTokens: 1 })
      for (let nowMs = 2_000; nowMs < 110_000; nowMs += 2_000) {
        passTo(nowMs, nowMs - 2_000)
        const name = `small ${nowMs}`
        ask(name, nowMs, { inputTokens: 100, maxTokens: 1, waitMs: 0 })
        if (served.at(-1) === name) settle(name, nowMs)
      }
      return served
    }
    // Small ones take what there is in each window, for ever.
    expect(passes(Infinity)).not.toContain("large")
    const kept = passes(10_000)
    expect(kept.filter((name) => name.startsWith("small"))[0]).toBe("small 2000")
    expect(kept).toContain("large")
  })

  it("turns away at once what cannot be served in time, and what it has no room for", () => {
    const { ask, line, refused, settle } = bench(oneAMinute, { maxWaiting: 2 })
    ask("x", 0)
    settle("x", 0)
    ask("hurried", 1, { waitMs: 30_000 })
    ask("short of time", 1, { timeLeftMs: 60_000 })
    ask("impatient", 1, { waitMs: 0 })
    expect(refused).toEqual(["hurried:Refused", "short of time:Refused", "impatient:Refused"])
    ask("1", 2)
    ask("2", 2)
    ask("3", 2)
    expect(refused.slice(3)).toEqual(["3:QueueFull"])
    expect(line.waiting).toEqual({ high: 0, normal: 2, low: 0 })
  })

  it("refuses a request that waited in vain, with its reasons", () => {
    const { ask, line, passTo, refused, settle } = bench(oneAMinute)
    ask("x", 0)
    settle("x", 0)
    ask("1", 1)
    ask("2", 2, { waitMs: 100_000 })
    passTo(100_001, 2)
    expect([refused, line.length]).toEqual([[], 1])
    passTo(100_002, 100_001)
    expect([refused, line.length]).toEqual([["2:Refused"], 0])
  })

  it("gives back what was granted in the moment somebody gave up", () => {
    const { ask, line, served, settle } = bench(oneAMinute)
    ask("x", 0)
    const waiter = ask("1", 1)
    if ("_tag" in waiter) throw new Error("decided")
    settle("x", 0)
    line.dispatch(60_600)
    expect(served).toEqual(["x", "1"])
    const granted = line.leave(waiter, 60_600)
    expect(granted?.provider).toBe("a")
    line.ledger.settle(granted!, { _tag: "Unused" }, 60_600)
    expect(line.ledger.snapshot(oneAMinute, 60_600)[0]).toMatchObject({ requestsUsed: 0, inFlight: 0 })
    expect(line.ledger.open).toBe(0)
  })

  it("turns everyone away when it closes", () => {
    const { ask, line, refused, settle } = bench(oneAMinute)
    ask("x", 0)
    settle("x", 0)
    ask("1", 1)
    ask("2", 1, { lane: "high" })
    line.close(2)
    expect([...refused].sort()).toEqual(["1:Closed", "2:Closed"])
    expect([line.length, line.wakeInMs]).toEqual([0, Infinity])
  })

  it("lets those in line choose from a list that is newer than they are", () => {
    const { ask, line, served } = bench(oneAMinute)
    ask("x", 0)
    ask("1", 1)
    line.ledger.snapshot([...oneAMinute, spec("b", { requests: 1 })], 2)
    line.dispatch(2)
    expect(served).toEqual(["x", "1"])
  })

  it("serves in order whoever is alike, and never lets one wait that fits", () => {
    const size = fc.constantFrom(10, 50, 200, 600)
    const arrival = fc.record({
      afterMs: fc.nat(3_000),
      inputTokens: size,
      lane: fc.constantFrom<Demand["lane"]>("high", "normal", "low"),
      takesMs: fc.nat(5_000)
    })
    fc.assert(
      fc.property(fc.array(arrival, { minLength: 10, maxLength: 80 }), (arrivals) => {
        const providers = [spec("a", { requests: 6, tokens: 1_500 }), spec("b", { requests: 3, concurrent: 1 })]
        const { ask, line, passTo, served, settle } = bench(providers, { ageing: Infinity, keepAfter: Infinity })
        const endings: Array<{ readonly name: string; readonly atMs: number }> = []
        let nowMs = 0
        const advance = (toMs: number) => {
          for (;;) {
            const next = endings.filter(({ atMs }) => atMs <= toMs).sort((a, b) => a.atMs - b.atMs)[0]
            if (next === undefined) break
            endings.splice(endings.indexOf(next), 1)
            passTo(Math.max(nowMs, next.atMs), nowMs)
            nowMs = Math.max(nowMs, next.atMs)
            settle(next.name, nowMs, 5)
            note()
          }
          passTo(toMs, nowMs)
          nowMs = toMs
          note()
        }
        const known = new Map<string, (typeof arrivals)[number]>()
        let noted = 0
        const note = () => {
          for (; noted < served.length; noted++) {
            const name = served[noted]!
            endings.push({ name, atMs: nowMs + known.get(name)!.takesMs })
          }
        }
        arrivals.forEach((each, index) => {
          advance(nowMs + each.afterMs)
          const name = `${index}`
          known.set(name, each)
          ask(name, nowMs, { inputTokens: each.inputTokens, lane: each.lane, maxTokens: 20, timeLeftMs: 1e9 })
          note()
        })
        for (let turn = 0; turn < 60 && served.length < arrivals.length; turn++) advance(nowMs + 60_200)
        expect(served).toHaveLength(arrivals.length)
        expect([line.length, line.wakeInMs]).toEqual([0, Infinity])
        for (const lane of ["high", "normal", "low"] as const) {
          for (const inputTokens of [10, 50, 200, 600]) {
            const alike = served.map(Number).filter((index) =>
              arrivals[index]!.lane === lane && arrivals[index]!.inputTokens === inputTokens
            )
            expect(alike).toEqual([...alike].sort((a, b) => a - b))
          }
        }
      }),
      { numRuns: 150 }
    )
  })
})
