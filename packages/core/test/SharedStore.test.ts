import { expect, it } from "@effect/vitest"
import {
  Router,
  RouterEvent,
  RouterMetrics,
  RouterState,
  type RouterStateService,
  type StateAway,
  type StateChange,
  StateUnavailable,
  StatusReport
} from "@route-llm/core"
import { RouterTest } from "@route-llm/core/testing"
import { Effect, FiberRef, Layer, MetricLabel, Schema, Stream, TestClock } from "effect"
import { describe } from "vitest"
import { hearing } from "./heard.ts"

describe("what a store says", () => {
  const store = "store:6379/0"
  it.each([
    ["user:pass-word", "of a usual password"],
    [":pa/ss", "of one with a slash"],
    [":pa ss", "of one with white space"],
    ["user:pa@ss", "of one with an @"],
    [":pa\n//ss@", "of one with all of them"]
  ])("is told without what stands before the host: %j, %s", (credentials) => {
    const cause = new Error(`connect ECONNREFUSED redis://${credentials}@${store}`)
    const { message } = new StateUnavailable({ cause })
    expect(message).toContain(`connect ECONNREFUSED redis://…@${store}`)
    expect(message).not.toMatch(/pa|ss\b/)
  })
})

describe("a router tells", () => {
  it.effect("that a shared store is away, and back", () => {
    const message = "connect ECONNREFUSED redis://user:pass-word@store:6379/0"
    const told: ReadonlyArray<StateChange> = [
      { _tag: "StateFailed", reason: "unreachable", message, policy: "share", atMs: 7 },
      { _tag: "StateRecovered", afterMs: 1_500, atMs: 8 }
    ]
    const later = Stream.concat(Stream.drain(Stream.fromEffect(Effect.sleep("1 second"))), Stream.fromIterable(told))
    const Away = Layer.effect(
      RouterState,
      Effect.map(RouterState, (state): RouterStateService => ({ ...state, changes: later }))
    ).pipe(Layer.provide(RouterState.layerMemory))
    return Effect.gen(function*() {
      const heard = yield* hearing
      yield* TestClock.adjust("1 second")
      const said = "connect ECONNREFUSED redis://…@store:6379/0"
      expect(heard).toEqual([
        { _tag: "StateFailed", reason: "unreachable", message: said, policy: "share", timestamp: 1_000 },
        { _tag: "StateRecovered", afterMs: 1_500, timestamp: 1_000 }
      ])
      expect(heard.every(Schema.is(RouterEvent))).toBe(true)
    }).pipe(Effect.scoped, Effect.provide(RouterTest.layer({ a: {} }, {}, Away)))
  })

  it.effect("once what the store tells itself, however many look while it is away", () => {
    const gone: StateChange = { _tag: "StateFailed", reason: "unreachable", message: "gone", policy: "closed", atMs: 7 }
    const told = Stream.concat(Stream.drain(Stream.fromEffect(Effect.sleep("1 second"))), Stream.make(gone))
    const Closed = Layer.effect(
      RouterState,
      Effect.map(RouterState, (memory): RouterStateService => ({
        ...memory,
        changes: told,
        away: Effect.succeed(undefined),
        snapshot: () => Effect.die(new Error("gone"))
      }))
    ).pipe(Layer.provide(RouterState.layerMemory))
    return Effect.gen(function*() {
      const heard = yield* hearing
      yield* TestClock.adjust("1 second")
      const { report } = yield* Router
      yield* Effect.replicateEffect(Effect.exit(report), 3)
      yield* TestClock.adjust("1 second")
      expect(heard.flatMap((event) => event._tag === "StateFailed" ? [event.policy] : [])).toEqual(["closed"])
    }).pipe(Effect.scoped, Effect.provide(RouterTest.layer({ a: {} }, {}, Closed)))
  })

  it.effect("in its report and its gauges that it goes on without the store", () => {
    let state: StateAway | undefined = { away: true, policy: "share", sinceMs: 12_000 }
    const Away = Layer.effect(
      RouterState,
      Effect.map(RouterState, (memory): RouterStateService => ({ ...memory, away: Effect.sync(() => state) }))
    ).pipe(Layer.provide(RouterState.layerMemory))
    const gauge = Effect.map(
      RouterMetrics.prometheus,
      (text) => text.split("\n").filter((line) => line.startsWith("route_llm_state_away{router=\"away\"}"))
    )
    return Effect.gen(function*() {
      const { report } = yield* Router
      const told: unknown = JSON.parse(JSON.stringify(yield* report))
      expect(Schema.decodeUnknownSync(StatusReport, { onExcessProperty: "error" })(told).state).toEqual(state)
      expect(yield* gauge).toEqual(["route_llm_state_away{router=\"away\"} 1"])
      state = undefined
      expect((yield* report).state).toBeUndefined()
      expect(yield* gauge).toEqual(["route_llm_state_away{router=\"away\"} 0"])
    }).pipe(Effect.provide(
      Layer.locally(RouterTest.layer({ a: {} }, {}, Away), FiberRef.currentMetricLabels, [
        MetricLabel.make("router", "away")
      ])
    ))
  })
})
