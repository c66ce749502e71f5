import {
  busiest,
  parseTrace,
  routeLlm,
  simulate,
  type SimulationOptions,
  type SimulationReport,
  strategies,
  type Strategy,
  synthetic,
  toRequest,
  type VendorModelInput,
  type Workload
} from "@route-llm/core/simulation"
import { Effect, Either, FastCheck as fc, Struct } from "effect"
import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"

const run = (options: SimulationOptions): SimulationReport => Effect.runSync(simulate(options))

/** Two vendors that together have room for about half of the busiest traffic of `synthetic`. */
const vendors: ReadonlyArray<VendorModelInput> = [
  { name: "a", limits: { requests: 60, tokens: 200_000 } },
  { name: "b", limits: { requests: 200, tokens: 90_000 } }
]

/** The same, of a quarter of the size. */
const small: ReadonlyArray<VendorModelInput> = [
  { name: "a", limits: { requests: 15, tokens: 50_000 } },
  { name: "b", limits: { requests: 50, tokens: 22_500 } }
]

const minutes = (count: number, seed = 1): Workload => busiest(synthetic({ seed }), `${count} minutes`)

const ended = ({ refused, served }: SimulationReport) =>
  served + Object.values(refused).reduce((sum, count) => sum + count, 0)

describe("simulate", () => {
  it("is the same, byte for byte, for the same seed and workload, whatever the strategy", () => {
    const workload = minutes(1).slice(0, 100)
    for (const strategy of Object.values<Strategy>(strategies)) {
      const [one, two, other] = [1, 1, 2].map((seed) => {
        const report = run({ workload, vendors: small, strategy, seed, estimates: { sigma: 0 } })
        return JSON.stringify({ ...report, seed: "any" })
      })
      expect(two).toBe(one)
      expect(other).not.toBe(one)
    }
  }, 60_000)

  it("ends every request and every call, and loses no answer, whatever the strategy", () => {
    const workload = minutes(1, 2).slice(0, 250)
    for (const strategy of Object.values<Strategy>(strategies)) {
      const report = run({ workload, vendors: small, strategy, seed: 5, timeout: "40 seconds" })
      expect([strategy.name, report.violations]).toEqual([strategy.name, []])
      expect(ended(report)).toBe(workload.length)
      expect(report.served).toBeGreaterThan(30)
      expect(report.waitingMs.p99).toBeLessThanOrEqual(report.latencyMs.p99)
    }
  }, 60_000)

  it("shows what reserving is for: the chain meets 429s, the router none, and waiting serves more", () => {
    const workload = minutes(1)
    const of = (strategy: Strategy) => run({ workload, vendors, strategy, seed: 1 })
    const [chain, atOnce, waiting] = [of(strategies.chain), of(strategies.formulaAtOnce), of(strategies.formula)]
    expect(chain.rateLimited).toBeGreaterThan(workload.length / 3)
    expect([atOnce.rateLimited, waiting.rateLimited]).toEqual([0, 0])
    expect(atOnce.waitingMs).toEqual({ p50: 0, p99: 0 })
    expect(waiting.served).toBeGreaterThan(atOnce.served)
    expect(waiting.waitingMs.p99).toBeGreaterThan(1_000)
    expect(Object.keys(atOnce.refused)).toEqual(["NoCapacity"])
  }, 60_000)

  it("has a bound that waits as long, and that no strategy serves more than", () => {
    const workload = minutes(1, 3)
    const of = (strategy: Strategy) => run({ workload, vendors, strategy, seed: 1 }).served
    const bound = run({ workload, vendors, strategy: strategies.bound, seed: 1 })
    expect(bound).toMatchObject({ rateLimited: 0, overLimit: [], violations: [] })
    const { limits, received } = bound.vendors["pool"]!
    expect(received).toBe(bound.served)
    expect(limits.map(({ dimension, limit }) => [dimension, limit])).toEqual([["requests", 260], ["tokens", 290_000]])
    expect(limits.some(({ limit, peak }) => peak > limit * 0.99)).toBe(true)
    for (const strategy of [strategies.chainRetried, strategies.formula, strategies.fit]) {
      expect(of(strategy)).toBeLessThanOrEqual(bound.served)
    }
  }, 60_000)

  it("lets a vendor's bad hours be felt, and the router goes round them", () => {
    const outage: VendorModelInput = {
      name: "a",
      limits: { tokens: 900_000 },
      conditions: [{ does: "fail", class: "overloaded", from: "1 minute", until: "3 minutes" }]
    }
    const hanging: VendorModelInput = { ...outage, conditions: [{ does: "hang", from: 0, until: "1 minute" }] }
    const spare: VendorModelInput = { name: "b", limits: { tokens: 900_000 } }
    const workload = minutes(4).filter((_, index) => index % 2 === 0)
    const routed = run({ workload, vendors: [outage, spare], strategy: strategies.formula, seed: 1 })
    expect(routed).toMatchObject({ served: workload.length, refused: {}, violations: [] })
    // The breaker opens after a few; each probe that fails is one more.
    expect(routed.vendors["a"]!.failed).toBeGreaterThan(4)
    expect(routed.vendors["a"]!.failed).toBeLessThan(40)
    expect(routed.vendors["a"]!.served).toBeGreaterThan(50)
    const sentBefore = (ms: number) => workload.filter(({ atMs }) => atMs < ms).length
    const beginning = workload.slice(0, sentBefore(80_000))
    const chained = { strategy: strategies.chain, seed: 1, timeout: "30 seconds" } as const
    const hung = run({ workload: beginning, vendors: [hanging], ...chained })
    // A request is 20 to 80 ms on its way.
    expect(hung.refused["TimedOut"]).toBeGreaterThanOrEqual(sentBefore(59_920))
    expect(hung.refused["TimedOut"]).toBeLessThanOrEqual(sentBefore(59_980))
    expect(hung.vendors["a"]!.aborted).toBe(hung.refused["TimedOut"])
    expect(hung.violations).toEqual([])
  }, 60_000)

  it("reports a strategy's own faults: a defect, a broken deadline, what it left behind", () => {
    const workload = minutes(1).slice(0, 3)
    const strategyOf = (send: Effect.Effect<never>, problems: ReadonlyArray<string> = []): Strategy => ({
      name: "mine",
      start: () => Effect.succeed({ send: () => send, keepsTime: true, problems: Effect.succeed(problems) })
    })
    const of = (strategy: Strategy) => run({ workload, vendors, strategy, seed: 1, timeout: "1 minute" })
    expect(of(strategyOf(Effect.die("bug"), ["something is left"])).violations).toEqual([
      "3 requests ended in a defect of the strategy",
      "something is left"
    ])
    expect(of(strategyOf(Effect.never)).violations).toEqual(["3 requests took longer than their timeout"])
    const forgetful = (call: (chat: Effect.Effect<unknown, unknown>) => Effect.Effect<unknown>): Strategy => ({
      name: "mine",
      start: ({ providers: [first] }) =>
        Effect.succeed({
          send: (request) => Effect.as(call(first!.chat(request)), { _tag: "Refused", reason: "Forgotten" } as const)
        })
    })
    expect(of(forgetful(Effect.ignore)).violations).toEqual(["the vendors answered 3 requests, 0 got their answer"])
    const abandoned = of(forgetful((chat) => Effect.delay(Effect.forkDaemon(chat), workload[2]!.atMs))).violations
    expect(abandoned).toContainEqual(expect.stringMatching(/^a: [123] calls never ended$/))
  })

  it("fails on vendors and options that do not hold", () => {
    const tagOf = (options: Partial<SimulationOptions>) =>
      Effect.runSync(
        Effect.flip(simulate({ workload: minutes(1), vendors, strategy: strategies.chain, seed: 1, ...options }))
      )._tag
    expect(tagOf({ vendors: [{ name: "a" }, { name: "a" }] })).toBe("DuplicateProvider")
    expect(tagOf({ vendors: [{ name: "a", limits: { tokens: -1 } }] })).toBe("InvalidConfig")
    expect(tagOf({ strategy: routeLlm("bad", { window: 0 }) })).toBe("InvalidConfig")
  })
})

describe("a router that knows the size of each request", () => {
  const size = fc.integer({ min: 1, max: 400 })
  const burst = fc.record({ gapMs: fc.constantFrom(0, 0, 1, 40, 900, 15_000, 61_000), input: size, output: size })
  const traffic = fc.array(burst, { minLength: 20, maxLength: 120 })
  const limit = fc.record({
    requests: fc.integer({ min: 3, max: 20 }),
    tokens: fc.integer({ min: 800, max: 6_000 }),
    inputTokens: fc.integer({ min: 400, max: 5_000 }),
    concurrent: fc.integer({ min: 1, max: 6 })
  })
  const policy = fc.constantFrom("formula" as const, "fit" as const)
  const order = fc.constantFrom("fifo" as const, "lifo" as const)

  it("never meets a 429, never goes over a limit, and leaves nothing behind", () => {
    let waited = 0
    fc.assert(
      fc.property(traffic, fc.array(limit, { minLength: 1, maxLength: 3 }), policy, order, fc.nat(), (
        bursts,
        limits,
        policy,
        order,
        seed
      ) => {
        let atMs = 0
        const workload = bursts.map(({ gapMs, input, output }) => {
          atMs += gapMs
          return { atMs, inputTokens: input, outputTokens: output }
        })
        const report = run({
          workload,
          // What is charged on arrival is known beforehand: then nothing is left to chance.
          vendors: limits.map((each, index) => ({
            name: `v${index}`,
            limits: each,
            counting: { chargesMaxTokens: true }
          })),
          strategy: routeLlm("route-llm", { policy, waiting: { order } }),
          seed,
          estimates: { sigma: 0 },
          request: (each) => ({ ...toRequest(each), maxTokens: each.outputTokens })
        })
        expect(report).toMatchObject({ rateLimited: 0, overLimit: [], violations: [] })
        expect(ended(report)).toBe(workload.length)
        expect(Object.values(report.vendors).every(({ failed }) => failed === 0)).toBe(true)
        if (report.waitingMs.p99 > 0) waited++
      }),
      { numRuns: 40, seed: 20 }
    )
    expect(waited).toBeGreaterThan(20)
  }, 60_000)
})

/** The demo's. */
const four: ReadonlyArray<VendorModelInput> = [
  { name: "openai", limits: { requests: 500, tokens: 200_000 } },
  { name: "anthropic", limits: { requests: 50, tokens: 200_000 } },
  { name: "gemini", limits: { requests: 60, tokens: 100_000 } },
  { name: "groq", limits: { requests: 30, tokens: 100_000 } }
]

it(
  "serves nearly what one provider with all limits added up would, and meets no 429, where there is room for it",
  () => {
    // Of the busiest three minutes of an hour three requests in four: the limits bind in its bursts.
    const workload = minutes(3, 3).filter((_, index) => index % 4 !== 0)
    const of = (strategy: Strategy) =>
      run({ workload, vendors: four, strategy, seed: 1, maxWait: 30_000, estimates: { sigma: 0.1 } })
    const [formula, fit, bound] = [of(strategies.formula), of(strategies.fit), of(strategies.bound)]
    expect(bound.served).toBeGreaterThan(workload.length * 0.95)
    expect([formula.rateLimited, fit.rateLimited]).toEqual([0, 0])
    expect([...formula.overLimit, ...fit.overLimit, ...formula.violations, ...fit.violations]).toEqual([])
    expect(formula.served / bound.served).toBeGreaterThanOrEqual(0.98)
    expect(fit.served / bound.served).toBeGreaterThanOrEqual(0.99)
    // They do bind.
    expect(run({ workload, vendors: four, strategy: strategies.chain, seed: 1 }).rateLimited).toBeGreaterThan(0)
  },
  120_000
)

const traceFile = fileURLToPath(new URL("../../../../../shared/data/azure-llm-conversation-2023.csv", import.meta.url))
const hasTrace = existsSync(traceFile)
if (!hasTrace) console.warn(`skipped: the production trace is not at ${traceFile}`)

it.skipIf(!hasTrace)("serves, of the busiest five minutes of a production hour, nearly what the limits allow", () => {
  const trace = Either.getOrThrow(parseTrace(readFileSync(traceFile, "utf8"), "trace"))
  const workload = busiest(trace, "5 minutes")
  const reports = Struct.pick(strategies, "chain", "fit", "bound")
  const of = (strategy: Strategy) => run({ workload, vendors: four, strategy, seed: 1 })
  const [chain, fit, bound] = [of(reports.chain), of(reports.fit), of(reports.bound)]
  expect(fit.rateLimited).toBeLessThan(5)
  expect(chain.rateLimited).toBeGreaterThan(500)
  expect(fit.served).toBeGreaterThan(chain.served)
  expect(fit.served / bound.served).toBeGreaterThan(0.97)
  expect(fit.violations).toEqual([])
}, 120_000)
