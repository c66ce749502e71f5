/** Whenever its caller leaves, a route tells one end: it is interrupted at every step of it, one after the other. */
import { expect, it } from "@effect/vitest"
import { Router, type RouterService } from "@route-llm/core"
import { Effect, Fiber, FiberId, Runtime, Scheduler, type Scope } from "effect"
import { hearing } from "./heard.ts"
import { hello, nothingLeft, on } from "./streams.ts"

/** Interrupts the first fiber that runs on it, after so many of its steps. */
class Interrupting implements Scheduler.Scheduler {
  #fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined

  constructor(public stepsLeft: number) {}

  shouldYield(fiber: Fiber.RuntimeFiber<unknown, unknown>): false {
    this.#fiber ??= fiber
    if (fiber === this.#fiber && --this.stepsLeft === 0) fiber.unsafeInterruptAsFork(FiberId.none)
    return false
  }

  scheduleTask(task: Scheduler.Task, priority: number): void {
    Scheduler.defaultScheduler.scheduleTask(task, priority)
  }
}

/** The outcomes that were told, over as many runs as it has steps. */
const interruptedAtEach = (asked: (router: RouterService) => Effect.Effect<unknown, unknown, Scope.Scope>) =>
  Effect.gen(function*() {
    const router = yield* Router
    const heard = yield* hearing
    const runtime = yield* Effect.runtime()
    for (let step = 1, isOver = false; !isOver; step++) {
      const scheduler = new Interrupting(step)
      yield* Fiber.await(Runtime.runFork(runtime)(Effect.scoped(asked(router)), { scheduler }))
      const { cancelled, failed, requests, served } = (yield* router.report).totals
      expect([step, served + failed + cancelled]).toEqual([step, requests])
      isOver = scheduler.stepsLeft > 0
    }
    yield* nothingLeft
    const outcomes = heard.flatMap((event) => event._tag === "RouteEnded" ? [event.outcome] : [])
    expect(outcomes).toHaveLength((yield* router.report).totals.requests)
    expect(outcomes.length).toBeGreaterThan(50)
    return new Set(outcomes)
  })

it.effect("an answer", () =>
  Effect.gen(function*() {
    expect(yield* interruptedAtEach(({ chat }) => chat(hello))).toEqual(new Set(["cancelled", "success"]))
  }).pipe(Effect.scoped, on({ a: {} })))

it.effect("an answer that is streamed, and left once it is open", () =>
  Effect.gen(function*() {
    expect(yield* interruptedAtEach(({ openStream }) => openStream(hello))).toEqual(new Set(["cancelled"]))
  }).pipe(Effect.scoped, on({ a: {} })))
