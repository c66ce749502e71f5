/**
 * Two applications on one key: the router is one of them, and the other calls the vendor past it. Together they want
 * more than the vendor gives.
 */
import { Router } from "@route-llm/core"
import { SimulatedVendor, toRequest } from "@route-llm/core/simulation"
import { Effect, FiberSet, Random } from "effect"
import { describe, expect, it } from "vitest"
import { routerOver, simulated } from "./routers.ts"

/** Poisson arrivals at this mean rate. */
const arrivals = (perMinute: number, minutes: number, send: Effect.Effect<void>) =>
  Effect.scoped(Effect.gen(function*() {
    const fibers = yield* FiberSet.make()
    for (let atMs = 0; atMs < minutes * 60_000;) {
      const gapMs = -Math.log(1 - (yield* Random.next)) * 60_000 / perMinute
      atMs += gapMs
      yield* Effect.sleep(gapMs)
      yield* FiberSet.run(fibers, send)
    }
    yield* FiberSet.awaitEmpty(fibers)
  }))

const anyRequest = Effect.map(
  Effect.all([Random.nextIntBetween(100, 900), Random.nextIntBetween(20, 220)]),
  ([inputTokens, outputTokens]) => toRequest({ inputTokens, outputTokens })
)

interface Run {
  readonly readings: "arrival" | "completion" | "none"
  readonly enforcement: "rolling" | "bucket"
  readonly ours: number
  readonly theirs: number
  readonly minutes: number
}

const play = ({ enforcement, minutes, ours, readings, theirs }: Run, seed: number) =>
  simulated(
    Effect.gen(function*() {
      const vendor = yield* SimulatedVendor.make({
        name: "shared",
        limits: { requests: 100, tokens: 100_000 },
        enforcement,
        readings
      })
      const seen = { calls: 0, rateLimited: 0, served: 0 }
      const counted = {
        provider: {
          ...vendor.provider,
          chat: (request: Parameters<typeof vendor.provider.chat>[0]) =>
            vendor.provider.chat(request).pipe(
              Effect.tapBoth({
                onSuccess: () => Effect.sync(() => (seen.calls++, seen.served++)),
                onFailure: () => Effect.sync(() => (seen.calls++, seen.rateLimited++))
              })
            )
        }
      }
      const router = Effect.flatMap(Router, (router) =>
        arrivals(
          ours,
          minutes,
          Effect.flatMap(anyRequest, (request) => Effect.ignore(router.chat(request)))
        ))
      const other = arrivals(
        theirs,
        minutes,
        Effect.flatMap(anyRequest, (request) => Effect.ignore(vendor.provider.chat(request)))
      )
      yield* Effect.all([Effect.provide(router, routerOver([counted])), other], { concurrency: 2 })
      return { ...seen, share: seen.rateLimited / seen.calls }
    }),
    seed
  )

/** In the last, either would take most of the limit: half of what happens there happens past the router. */
const cases = [
  { ours: 40, theirs: 50, most: 0.01, minutes: 8 },
  { ours: 120, theirs: 20, most: 0.01, minutes: 8 },
  { ours: 80, theirs: 50, most: 0.1, minutes: 12 }
] as const

const percent = (share: number) => `${(share * 100).toFixed(2)} %`

describe("two applications on one key, 100 requests a minute", () => {
  const seed = 20
  for (const enforcement of ["rolling", "bucket"] as const) {
    for (const { minutes, most, ours, theirs } of cases) {
      const name = `${enforcement}: the router wants ${ours}, the other ${theirs}, seed ${seed}`
      it(`${name}: less than ${percent(most)} of the router's calls meet a 429`, () => {
        const unread = play({ enforcement, minutes, ours, readings: "none", theirs }, seed)
        for (const readings of ["arrival", "completion"] as const) {
          const read = play({ enforcement, minutes, ours, readings, theirs }, seed)
          console.log(
            `${name}: with readings of the ${readings} ${percent(read.share)} of ${read.calls}, `
              + `without ${percent(unread.share)} of ${unread.calls}`
          )
          expect(read.share).toBeLessThan(most)
          expect(read.share).toBeLessThanOrEqual(unread.share)
          // Not by sending little: what the other leaves is used.
          expect(read.served).toBeGreaterThan(Math.min(ours, 100 - theirs) * minutes * 0.85)
        }
      }, 30_000)
    }
  }
})
