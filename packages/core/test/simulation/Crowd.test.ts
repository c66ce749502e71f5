import { Router, RouterState } from "@route-llm/core"
import { SimulatedVendor, toRequest } from "@route-llm/core/simulation"
import { Effect, Exit, Random } from "effect"
import { describe, expect, it } from "vitest"
import { routerOver, simulated, timersLeft } from "./routers.ts"

const callers = 200

const caller = (router: Router["Type"], order: Array<number>) => (index: number) =>
  Effect.gen(function*() {
    const size = yield* Effect.all([Random.nextIntBetween(20, 900), Random.nextIntBetween(5, 200)])
    const cancels = (yield* Random.nextIntBetween(0, 4)) === 0
    const patience = yield* Random.nextIntBetween(0, 40_000)
    yield* Effect.sleep(yield* Random.nextIntBetween(0, 20_000))
    const priority = (["high", "normal", "low"] as const)[index % 3]!
    const chat = router.chat({
      ...toRequest({ inputTokens: size[0], outputTokens: size[1] }),
      priority,
      timeout: "30 minutes"
    }).pipe(Effect.tap(() => Effect.sync(() => order.push(index))))
    return yield* Effect.exit(cancels ? Effect.timeoutOption(chat, patience) : Effect.asSome(chat))
  })

describe(`${callers} callers, three providers, random costs and cancellations`, () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    it(`go over no limit, lose nothing and leave nothing behind (seed ${seed})`, () => {
      const { counts, exits, left, order, status, waiting } = simulated(
        Effect.gen(function*() {
          const vendors = yield* Effect.forEach([
            { name: "a", limits: { requests: 20, tokens: 9_000 } },
            { name: "b", limits: { requests: 12, tokens: 20_000, concurrent: 4 } },
            { name: "c", limits: { requests: 40, tokens: 6_000, outputTokens: 2_000 } }
          ], SimulatedVendor.make)
          return yield* Effect.gen(function*() {
            const router = yield* Router
            const order: Array<number> = []
            const exits = yield* Effect.forEach(
              Array.from({ length: callers }, (_, index) => index),
              caller(router, order),
              { concurrency: "unbounded" }
            )
            yield* Effect.sleep(1)
            return {
              order,
              exits,
              counts: yield* Effect.forEach(vendors, (vendor) => vendor.counts),
              status: yield* router.status,
              waiting: yield* Effect.flatMap(RouterState, (state) => state.waiting),
              left: yield* timersLeft
            }
          }).pipe(Effect.provide(routerOver(vendors)))
        }),
        seed
      )
      // Each was answered, or gave up of its own accord.
      expect(exits.filter(Exit.isFailure)).toEqual([])
      expect(order.length).toBe(exits.filter((exit) => Exit.isSuccess(exit) && exit.value._tag === "Some").length)
      expect(order.length).toBeGreaterThan(callers / 2)
      for (const { inFlight, limits, rateLimited } of counts) {
        expect({ inFlight, rateLimited }).toEqual({ inFlight: 0, rateLimited: 0 })
        for (const { limit, peak } of limits) expect(peak).toBeLessThanOrEqual(limit)
      }
      for (const { inFlight } of Object.values(status)) expect(inFlight).toBe(0)
      expect(waiting).toEqual({ high: 0, normal: 0, low: 0 })
      expect(left).toBe(0)
    }, 30_000)
  }
})
