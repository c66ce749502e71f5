/**
 * 10,000 requests in an hour of outages, brown-outs, hanging calls, 429 storms, refused keys, cut answers and a spent
 * quota, through the real router. What had to happen is worked out from the script of faults and from what the vendors
 * saw (`chaosServable.ts`, `chaosErrors.ts`), not from what the router says of itself.
 */
import { Cause, Exit, Option } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import { errorProblems } from "./chaosErrors.ts"
import { type Aftermath, play, type Played } from "./chaosPlay.ts"
import { hammered, retries } from "./chaosPressure.ts"
import { VendorRecord } from "./chaosRecord.ts"
import { drawChaos, requestsAnHour } from "./chaosScript.ts"
import { couldHaveServed, inTrouble, isServed } from "./chaosServable.ts"

/** Timers end at a whole millisecond after their moment; the rest is rounding. */
const tickMs = 1 + 1e-6

const endingOf = ({ exit }: Played): string =>
  Exit.isSuccess(exit)
    ? `served by ${exit.value.provider}`
    : Option.match(Cause.failureOption(exit.cause), { onNone: () => "defect", onSome: ({ _tag }) => _tag })

/** A request and all that happened to it. */
const story = (played: Played) => {
  const { arrivedMs, calls, endedMs, exit, of } = played
  return {
    atMs: arrivedMs,
    tookMs: endedMs - arrivedMs,
    timeoutMs: of.timeoutMs,
    ending: endingOf(played),
    why: Exit.isFailure(exit) ? Cause.pretty(exit.cause).split("\n", 1)[0] : undefined,
    calls: calls.map(({ endedMs, result, sentMs, vendor }) =>
      `${vendor} ${sentMs - arrivedMs}–${endedMs - arrivedMs} ${result}`
    ),
    request: { ...of.request, messages: undefined, inputTokens: of.inputTokens, outputTokens: of.outputTokens }
  }
}

/** Shown in full where there are any; the first few do. */
const stories = (played: ReadonlyArray<Played>) => played.slice(0, 5).map(story)

describe.each([1, 2])("an hour of chaos, seed %i", (seed) => {
  let after: Aftermath
  let vendors: ReadonlyArray<VendorRecord>
  beforeAll(() => {
    after = play(drawChaos(seed))
    vendors = after.models.map((model) => new VendorRecord(model, after.calls.get(model.name) ?? []))
  }, 60_000)

  it("is chaos: every kind of fault was met, and every kind of ending came of it", () => {
    const results = new Set(vendors.flatMap(({ calls }) => calls.map(({ result }) => result)))
    expect([...results].sort()).toEqual(
      ["answered", "credential", "cut", "network", "overloaded", "quota", "rate_limit", "transient", "truncated"]
    )
    expect([...new Set(after.played.map(endingOf))].sort()).toEqual([
      "AllProvidersFailed",
      "DeadlineExceeded",
      "NoCapacity",
      "TokenLimitExceeded",
      ...vendors.map(({ name }) => `served by ${name}`)
    ])
  })

  it("ends each request, by its deadline", () => {
    expect(after.played).toHaveLength(requestsAnHour)
    const late = after.played.filter(({ arrivedMs, endedMs, of }) => endedMs - arrivedMs >= of.timeoutMs + tickMs)
    expect(stories(late)).toEqual([])
  })

  it("hands over each answer that a vendor has given, once", () => {
    const wrong = after.played.filter(({ calls, exit }) => {
      const answered = calls.filter(({ result }) => result === "answered")
      const { content, provider } = Exit.getOrElse(exit, () => ({ content: "", provider: "" }))
      return Exit.isSuccess(exit)
        ? answered.length !== 1 || answered[0] !== calls.at(-1) || answered[0]?.vendor !== provider
          || content !== `answer of ${provider}`
        : answered.length > 0
    })
    expect(stories(wrong)).toEqual([])
    const served = after.counts.reduce((sum, counts) => sum + counts.served, 0)
    expect(after.played.filter(isServed)).toHaveLength(served)
  })

  it("serves whatever could be served in time", () => {
    const servable = after.played.filter((each) => couldHaveServed(each, vendors).length > 0)
    const figures = {
      servable: servable.length,
      inTrouble: servable.filter((each) => inTrouble(each, vendors)).length,
      onlyAfterFailures: servable.filter(({ calls }) => calls.length > 1).length,
      unserved: after.played.filter((each) => !isServed(each)).length
    }
    console.log(`chaos, seed ${seed}: ${JSON.stringify(figures)}`)
    expect(stories(servable.filter((each) => !isServed(each)))).toEqual([])
    // What the check would be worth nothing without.
    expect(figures.servable).toBeGreaterThan(requestsAnHour * 0.45)
    expect(figures.inTrouble).toBeGreaterThan(requestsAnHour * 0.35)
    expect(figures.onlyAfterFailures).toBeGreaterThan(requestsAnHour * 0.015)
    expect(figures.unserved).toBeGreaterThan(requestsAnHour * 0.05)
  })

  it("says why in each error, as the script and the vendors have it", () => {
    const wrong = after.played.flatMap((each) =>
      errorProblems(each, vendors).map((problem) => ({ problem, ...story(each) }))
    )
    expect(wrong.slice(0, 5)).toEqual([])
    const unaccounted = vendors.flatMap((vendor) => vendor.calls.filter((call) => !vendor.allows(call)))
    expect(unaccounted.slice(0, 5)).toEqual([])
  })

  it("makes nothing worse: who cannot answer is left alone, and retries keep to their budget", () => {
    expect(vendors.flatMap(hammered)).toEqual([])
    const { count, lowest } = retries(after.played)
    expect(count).toBeGreaterThan(100)
    expect(lowest).toBeGreaterThan(-1e-6)
  })

  it("leaves nothing behind", () => {
    expect(after.left).toEqual({
      reserved: vendors.map(() => 0),
      waiting: { high: 0, normal: 0, low: 0 },
      timers: 0
    })
    expect(after.counts.map(({ inFlight }) => inFlight)).toEqual(vendors.map(() => 0))
    expect(vendors.flatMap(({ calls }) => calls.filter(({ result }) => result === "under way"))).toEqual([])
  })

  it("is the same hour once more, call by call (its first 1,000 requests)", () => {
    const chaos = drawChaos(seed)
    const again = play({ ...chaos, requests: chaos.requests.slice(0, 1_000) }).played
    // Those that ended before anything was otherwise: until the first request that is not sent this time.
    const before = (played: ReadonlyArray<Played>) =>
      played.filter(({ endedMs }) => endedMs < chaos.requests[1_000]!.atMs)
    const same = before(again)
    expect(JSON.stringify(same.map(story)) === JSON.stringify(before(after.played).map(story))).toBe(true)
    expect(same.length).toBeGreaterThan(900)
    expect(same.filter(({ calls }) => calls.length > 1).length).toBeGreaterThan(20)
    expect(same.filter((each) => !isServed(each)).length).toBeGreaterThan(20)
  }, 60_000)
})
