/**
 * The status of a fleet is what its vendors saw, whoever is asked: each of three processes on one Redis, by itself and
 * over HTTP, and the command, which is none of them.
 */
import { Deferred, Effect } from "effect"
import { describe, expect, it } from "vitest"
import { anyRedis } from "../../../redis/test/rigs/redisServer.ts"
import { skips, suiteRig } from "../../../redis/test/rigs/suite.ts"
import { all, startFleet, type Told } from "./fleet.ts"
import { type GatedVendor, gatedVendor } from "./gatedVendor.ts"

/** Far more than is used: nobody waits. */
const limits = { rpmLimit: 200, tpmLimit: 100_000 }

/** Calls that are held at one time. */
const atOnce = 12

/** What is compared, of each provider. */
interface Figures {
  readonly name: string
  readonly rpmUsed: number
  readonly tpmUsed: number
  readonly inFlight: number
}

type Picture = ReadonlyArray<Figures>

/** By the ways that there are to ask. */
const pictures = ({ rows }: Told): ReadonlyArray<Picture> =>
  rows.map((each) => each.map(({ inFlight, name, rpmUsed, tpmUsed }) => ({ name, rpmUsed, tpmUsed, inFlight })))

/** What each vendor has counted itself; what is held before it has come, and only its gate has counted it. */
const seenBy = (vendors: ReadonlyArray<GatedVendor>): Effect.Effect<Picture> =>
  Effect.forEach(
    vendors,
    ({ counts, held, vendor }) =>
      Effect.map(counts, ({ inFlight, inputTokens, outputTokens, received }) => ({
        name: vendor,
        rpmUsed: received + held(),
        tpmUsed: inputTokens + outputTokens,
        inFlight: inFlight + held()
      }))
  )

/** `onHeld`: so many calls are held. */
const startVendors = (onHeld: (held: number) => void) =>
  Effect.gen(function*() {
    const made: Array<GatedVendor> = []
    const changed = () => onHeld(made.reduce((sum, { held }) => sum + held(), 0))
    for (const [at, vendor] of (["openai", "anthropic", "groq"] as const).entries()) {
      // Without limits it says nothing of them, which would count as others' use what a process has not told Redis yet.
      made.push(yield* gatedVendor({ vendor, seed: at }, changed))
    }
    return made
  })

describe.skipIf(skips("any"))("the status of a fleet", () => {
  const rig = suiteRig(anyRedis, ({ flush }) => flush)

  it(
    "is the sum of what the vendors saw, for whoever asks, in the middle of calls and after them",
    () =>
      Effect.runPromise(Effect.scoped(Effect.gen(function*() {
        const isHeld = yield* Deferred.make<void>()
        const vendors = yield* startVendors((held) => {
          if (held === atOnce) Deferred.unsafeDone(isHeld, Effect.void)
        })
        const providers = vendors.map(({ url, vendor }) => ({ name: vendor, apiKey: "k", baseUrl: url, ...limits }))
        const fleet = yield* startFleet(providers, rig().url)
        const chats = (count: number, tokens: number, more: (at: number) => object = () => ({})) =>
          all(Array.from({ length: count }, (_, at) => {
            const content = `[answer with ${tokens + at} tokens] ${"and so on ".repeat(at % 7)}`
            return fleet.chat(at, { messages: [{ role: "user", content }], ...more(at) })
          }))
        const forced = (at: number) => ({ forceProvider: vendors[at % vendors.length]!.vendor })

        // One of each that fails, is counted by its vendor, and goes on elsewhere.
        for (const { fail } of vendors) yield* fail({ kind: "overloaded" })
        yield* chats(30, 10)
        // Everybody meets everybody.
        yield* chats(30, 50, (at) => forced(at + Math.floor(at / 3)))
        yield* Effect.forEach(vendors, ({ close }) => close)
        const held = yield* Effect.fork(chats(atOnce, 20, forced))
        yield* Deferred.await(isHeld)
        const calls = (picture: Picture) => picture.map(({ inFlight, name, rpmUsed }) => ({ name, inFlight, rpmUsed }))
        const between = calls(yield* seenBy(vendors))
        expect(between.map(({ inFlight }) => inFlight)).toEqual([4, 4, 4])
        expect(pictures(yield* fleet.told).map(calls)).toEqual(Array(7).fill(between))

        yield* Effect.forEach(vendors, ({ open }) => open)
        yield* held
        const seen = yield* seenBy(vendors)
        const after = yield* fleet.told
        expect(pictures(after)).toEqual(Array(7).fill(seen))

        const sum = <A>(rows: ReadonlyArray<A>, of: (row: A) => number) =>
          rows.reduce((total, row) => total + of(row), 0)
        expect(sum(seen, ({ inFlight }) => inFlight)).toBe(0)
        expect(sum(after.totals, ({ fallbacks }) => fallbacks)).toBe(vendors.length)
        expect(sum(after.totals, ({ fallbacks, served }) => served + fallbacks)).toBe(
          sum(seen, ({ rpmUsed }) => rpmUsed)
        )
        expect(sum(after.totals, ({ inputTokens, outputTokens }) => inputTokens + outputTokens))
          .toBe(sum(seen, ({ tpmUsed }) => tpmUsed))
        expect(after.totals.map(({ requests, served }) => `${served} of ${requests}`)).toEqual(
          Array(3).fill("24 of 24")
        )
        expect(Math.min(...seen.map(({ rpmUsed }) => rpmUsed))).toBeGreaterThan(10)
      }))),
    120_000
  )
})
