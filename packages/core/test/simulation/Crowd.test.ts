import { Router, RouterState } from "@route-llm/core"
import { SimulatedVendor, toRequest } from "@route-llm/core/simulation"
import { Clock, Effect, Exit, Random } from "effect"
import { describe, expect, it } from "vitest"
import { routerOver, simulated, timersLeft } from "./routers.ts"

const callers = 200

/** One who was served: when it came, when its turn came, and how much it asked for. */
interface Turn {
  readonly lane: number
  readonly inputTokens: number
  readonly cameMs: number
  readonly grantedMs: number
}

const caller = (router: Router["Type"], note: (turn: Turn) => void) => (index: number) =>
  Effect.gen(function*() {
    const size = yield* Effect.all([Random.nextIntBetween(20, 900), Random.nextIntBetween(5, 200)])
    const cancels = (yield* Random.nextIntBetween(0, 4)) === 0
    const patience = yield* Random.nextIntBetween(0, 40_000)
    yield* Effect.sleep(yield* Random.nextIntBetween(0, 20_000))
    const lane = index % 3
    const cameMs = yield* Clock.currentTimeMillis
    const chat = router.chat({
      ...toRequest({ inputTokens: size[0], outputTokens: size[1] }),
      priority: (["high", "normal", "low"] as const)[lane]!,
      timeout: "30 minutes"
    }).pipe(Effect.tap(({ latencyMs }) =>
      Effect.map(Clock.currentTimeMillis, (nowMs) =>
        note({ lane, inputTokens: size[0], cameMs, grantedMs: nowMs - latencyMs }))
    ))
    return yield* Effect.exit(cancels ? Effect.timeoutOption(chat, patience) : Effect.asSome(chat))
  })

/**
 * Pairs of one lane of whom the first came earlier and asked for less, by more than estimates are off: whatever has room
 * for the other has room for it, so it goes first.
 */
const ordered = (turns: ReadonlyArray<Turn>) =>
  turns.flatMap((one) =>
    turns
      .filter((other) =>
        other.lane === one.lane && other.cameMs > one.cameMs && other.inputTokens > 2 * one.inputTokens
        // Only of those who wait at the same time one goes before the other.
        && one.grantedMs > other.cameMs
      )
      .map((other) => ({ one, other }))
  )

describe(`${callers} callers, three providers, random costs and cancellations`, () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    it(`go over no limit, lose nothing and leave nothing behind (seed ${seed})`, () => {
      const { counts, exits, left, status, turns, waiting } = simulated(
        Effect.gen(function*() {
          const vendors = yield* Effect.forEach([
            { name: "a", limits: { requests: 20, tokens: 9_000 } },
            { name: "b", limits: { requests: 12, tokens: 20_000, concurrent: 4 } },
            { name: "c", limits: { requests: 40, tokens: 6_000, outputTokens: 2_000 } }
          ], SimulatedVendor.make)
          return yield* Effect.gen(function*() {
            const router = yield* Router
            const turns: Array<Turn> = []
            const exits = yield* Effect.forEach(
              Array.from({ length: callers }, (_, index) => index),
              caller(router, (turn) => turns.push(turn)),
              { concurrency: "unbounded" }
            )
            yield* Effect.sleep(1)
            return {
              turns,
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
      expect(turns.length).toBe(exits.filter((exit) => Exit.isSuccess(exit) && exit.value._tag === "Some").length)
      expect(turns.length).toBeGreaterThan(callers / 2)
      const pairs = ordered(turns)
      expect(pairs.length).toBeGreaterThan(100)
      // The clock's time is in whole milliseconds, a latency is not.
      expect(pairs.filter(({ one, other }) => one.grantedMs > other.grantedMs + 1)).toEqual([])
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
