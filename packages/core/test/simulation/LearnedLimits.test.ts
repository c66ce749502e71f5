/** Limits that nobody declared: after a minute of traffic the router knows them, by whatever the vendor lets out. */
import { Router } from "@route-llm/core"
import { SimulatedVendor, toRequest } from "@route-llm/core/simulation"
import { Effect, FiberSet } from "effect"
import { describe, expect, it } from "vitest"
import { routerOver, simulated } from "./routers.ts"

/** What the router knows after a minute of two requests a second. */
const afterAMinute = (
  limits: { readonly requests?: number; readonly tokens?: number },
  readings: "completion" | "none"
) =>
  simulated(
    Effect.gen(function*() {
      const vendor = yield* SimulatedVendor.make({ name: "unknown", limits, declared: {}, readings })
      const program = Effect.scoped(Effect.gen(function*() {
        const router = yield* Router
        const fibers = yield* FiberSet.make()
        for (let sent = 0; sent < 120; sent++) {
          const chat = router.chat(toRequest({ inputTokens: 400, outputTokens: 60 }))
          yield* FiberSet.run(fibers, Effect.ignore(chat))
          yield* Effect.sleep(500)
        }
        return (yield* router.status)["unknown"]?.limits
      }))
      return yield* Effect.provide(program, routerOver([vendor]))
    }),
    1
  )

describe("limits that are not declared", () => {
  it.each(
    [
      ["requests", 80, "completion"],
      ["tokens", 30_000, "completion"],
      ["requests", 80, "none"]
    ] as const
  )("%s: %s a minute, with readings of the %s, known within 5 %% after a minute", (dimension, limit, readings) => {
    const learned = afterAMinute({ [dimension]: limit }, readings)?.[dimension]
    expect(learned).toMatchObject({ learned: true })
    expect(Math.abs(learned!.limit / limit - 1)).toBeLessThanOrEqual(0.05)
  }, 30_000)
})
