import { describe, expect, it } from "vitest"
import type { RouterSettings } from "../../src/RouterOptions.ts"
import type { Demand } from "../../src/RouterState.ts"
import { lineBench } from "./lineBench.ts"
import { spec } from "./support.ts"

const onB = { forceProvider: "b" }

/** The circuit of b has opened at 4 ms, for 30 s; a is full. `call`: still under way on b. */
const broken = (waiting: Partial<RouterSettings["waiting"]> = {}, call?: Partial<Demand>) => {
  const bench = lineBench([spec("a", { requests: 1 }), spec("b", { tokens: 1_000 })], waiting)
  if (call !== undefined) bench.ask("call", 0, { ...onB, ...call })
  for (let turn = 0; turn < 5; turn++) {
    bench.ask(`${turn}`, turn, { forceProvider: "b" })
    bench.settle(`${turn}`, turn, 0, { _tag: "Failure", class: "transient" })
  }
  bench.ask("on a", 5, { forceProvider: "a" })
  bench.settle("on a", 5)
  return { ...bench, lastly: () => bench.served.slice(call === undefined ? 6 : 7) }
}

describe("a last resort", () => {
  it("is not kept from those it is for by others in line", () => {
    const { ask, lastly, passTo } = broken()
    ask("on a", 10, { forceProvider: "a" })
    ask("not at all", 11, { ...onB, lastResort: false })
    ask("first of b", 12, onB)
    ask("next", 13, onB)
    passTo(1_003, 13)
    expect(lastly()).toEqual([])
    passTo(1_004, 1_003)
    expect(lastly()).toEqual(["first of b"])
    passTo(2_004, 1_004)
    // While its probe is under way nobody else is let through.
    expect(lastly()).toEqual(["first of b"])
  })

  it("goes to the first whose size there is room for", () => {
    const { ask, lastly, passTo } = broken({}, { inputTokens: 300, maxTokens: 0 })
    ask("large", 10, { ...onB, inputTokens: 990, maxTokens: 0 })
    ask("small", 11, { ...onB, inputTokens: 100, maxTokens: 0 })
    passTo(1_004, 11)
    expect(lastly()).toEqual(["small"])
  })

  it("goes to the newest where the newest goes first", () => {
    const { ask, lastly, passTo } = broken({ order: "lifo" })
    for (const [index, name] of ["oldest", "older", "newest"].entries()) ask(name, 10 + index, onB)
    passTo(1_004, 12)
    expect(lastly()).toEqual(["newest"])
  })

  it("is waited for where it comes in time", () => {
    const { ask, lastly, passTo, refused } = broken()
    ask("in time", 100, { ...onB, timeLeftMs: 3_000 })
    ask("too late", 100, { ...onB, timeLeftMs: 900 })
    ask("not at all", 100, { ...onB, timeLeftMs: 3_000, lastResort: false })
    expect(refused).toEqual(["too late:Refused", "not at all:Refused"])
    passTo(1_004, 100)
    expect(lastly()).toEqual(["in time"])
  })

  it("counts in what a refusal says", () => {
    const { ask } = broken()
    const said = (more: object) => ask("x", 100, { waitMs: 0, ...more })
    expect(said(onB)).toMatchObject({
      refusals: [{ provider: "a", reason: "not_forced" }, { reason: "circuit_open", retryAfterMs: 904 }]
    })
    expect(said({ ...onB, lastResort: false })).toMatchObject({ refusals: [{}, { retryAfterMs: 29_904 }] })
    // While a is in service b is no last resort.
    expect(said({})).toMatchObject({ refusals: [{ reason: "full" }, { retryAfterMs: 29_904 }] })
  })
})

describe("a full line", () => {
  const fullOf = (lanes: ReadonlyArray<"high" | "normal" | "low">, order: "fifo" | "lifo" = "fifo") => {
    const bench = lineBench([spec("a", { requests: 1 })], { maxWaiting: lanes.length, order })
    bench.ask("x", 0)
    bench.settle("x", 0)
    for (const [index, lane] of lanes.entries()) {
      bench.ask(`${lane} ${index}`, 1 + index, { lane, maxTokens: 1 + index % 2 })
    }
    return bench
  }

  it("makes room for a higher lane at the expense of the last of the lowest", () => {
    const { ask, line, refused } = fullOf(["low", "normal", "low", "high"])
    ask("high", 10, { lane: "high" })
    expect(refused).toEqual(["low 2:QueueFull"])
    ask("normal", 11)
    expect(refused).toEqual(["low 2:QueueFull", "low 0:QueueFull"])
    ask("another normal", 12)
    ask("higher", 13, { lane: "high" })
    ask("low", 14, { lane: "low" })
    expect(refused.slice(2)).toEqual(["another normal:QueueFull", "normal:QueueFull", "low:QueueFull"])
    expect(line.waiting).toEqual({ high: 3, normal: 1, low: 0 })
  })

  it("drops the oldest of the lowest where the newest goes first, whoever comes", () => {
    const { ask, refused } = fullOf(["low", "normal", "low"], "lifo")
    ask("high", 10, { lane: "high" })
    ask("low", 11, { lane: "low" })
    ask("normal", 12)
    expect(refused).toEqual(["low 0:QueueFull", "low 2:QueueFull", "low:QueueFull"])
    ask("another", 13)
    expect(refused.slice(3)).toEqual(["normal 1:QueueFull"])
  })
})
