import { VirtualClock } from "@route-llm/core/simulation"
import { Cause, Clock, Deferred, Duration, Effect, Exit, Fiber, Option, Random, Ref, Schedule } from "effect"
import { FastCheck as fc } from "effect"
import { describe, expect, it } from "vitest"
import { type Timer, TimerHeap } from "../../src/simulation/internal/TimerHeap.ts"

const run = <A, E>(program: Effect.Effect<A, E>, seed = 1) => VirtualClock.run(program, { seed })

const value = <A, E>(program: Effect.Effect<A, E>) => Exit.getOrElse(run(program), (cause) => Cause.pretty(cause))

const defectOf = (exit: Exit.Exit<unknown, unknown>): unknown =>
  Exit.isFailure(exit) ? Option.getOrUndefined(Cause.dieOption(exit.cause)) : undefined

describe("VirtualClock", () => {
  it("jumps from timer to timer, in order of time and then of arrival", () => {
    const program = Effect.gen(function*() {
      const seen = yield* Ref.make<ReadonlyArray<string>>([])
      const note = (name: string, after: Duration.DurationInput) =>
        Effect.gen(function*() {
          yield* Effect.sleep(after)
          const nowMs = yield* Clock.currentTimeMillis
          yield* Ref.update(seen, (all) => [...all, `${name} ${nowMs}`])
        })
      const notes = [note("day", "1 day"), note("b", "2 seconds"), note("c", "2 seconds"), note("a", "1 second")]
      yield* Effect.all(notes, { concurrency: "unbounded" })
      return yield* Ref.get(seen)
    })
    expect(value(program)).toEqual(["a 1000", "b 2000", "c 2000", "day 86400000"])
  })

  it("has nanoseconds that agree with its milliseconds, fractions included", () => {
    const program = Effect.gen(function*() {
      const clock = yield* Effect.clock
      const times: Array<readonly [number, bigint]> = []
      for (const ms of [0, 0.25, 0.5, 999.3, 1e-6]) {
        yield* Effect.sleep(Duration.millis(ms))
        times.push([clock.unsafeCurrentTimeMillis(), clock.unsafeCurrentTimeNanos()])
      }
      return times
    })
    expect(value(program)).toEqual([[0, 0n], [0, 250_000n], [0, 750_000n], [1000, 1_000_050_000n], [
      1000,
      1_000_050_001n
    ]])
  })

  it("drives timeouts, schedules, races and interruption, and cancelled sleeps leave the heap", () => {
    const program = Effect.gen(function*() {
      const clock = yield* Effect.clock
      for (let turn = 0; turn < 100; turn++) yield* Effect.timeout(Effect.sleep("1 milli"), "1 hour")
      const late = yield* Effect.either(Effect.timeout(Effect.never, "10 seconds"))
      const repeated = yield* Effect.repeat(Effect.sleep("1 second"), Schedule.recurs(4))
      const sleeper = yield* Effect.fork(Effect.sleep("5 hours"))
      yield* Effect.yieldNow()
      const before = (clock as VirtualClock).pending
      yield* Fiber.interrupt(sleeper)
      const after = (clock as VirtualClock).pending
      return { late: late._tag, repeated, before, after, nowMs: yield* Clock.currentTimeMillis }
    })
    expect(value(program)).toEqual({ late: "Left", repeated: 4, before: 1, after: 0, nowMs: 100 + 10_000 + 5_000 })
  })

  it("draws from the seed", () => {
    const draws = Effect.replicateEffect(Random.nextInt, 5)
    expect(run(draws, 7)).toEqual(run(draws, 7))
    expect(run(draws, 7)).not.toEqual(run(draws, 8))
  })

  it("gives back failures and defects as they are, and drops what is left behind", () => {
    expect(run(Effect.fail("no"))).toEqual(Exit.fail("no"))
    expect(run(Effect.die("bug"))).toEqual(Exit.die("bug"))
    expect(value(Effect.forkDaemon(Effect.forever(Effect.sleep("1 second"))).pipe(Effect.as("done")))).toBe("done")
  })

  it("says so where the program can never end, and runs its finalizers", () => {
    const finalized: Array<string> = []
    const waits = (name: string, wait: Effect.Effect<unknown>) =>
      Effect.sleep("3 seconds").pipe(
        Effect.zipRight(wait),
        Effect.ensuring(Effect.sync(() => void finalized.push(name)))
      )
    const deadlock = run(waits("deferred", Effect.flatMap(Deferred.make<void>(), Deferred.await)))
    expect(defectOf(deadlock)).toMatchObject({ _tag: "Stuck", reason: "deadlock", atMs: 3000 })
    expect(String(defectOf(deadlock))).toContain("After 3 s of virtual time the program waits for something")
    const real = run(waits("promise", Effect.promise(() => Promise.resolve(1))))
    expect(defectOf(real)).toMatchObject({ _tag: "Stuck", reason: "deadlock" })
    const busy = run(waits("busy", Effect.forever(Effect.yieldNow())))
    expect(defectOf(busy)).toMatchObject({ _tag: "Stuck", reason: "no_progress", atMs: 3000 })
    const long = VirtualClock.run(waits("long", Effect.forever(Effect.sleep("1 second"))), {
      seed: 1,
      longest: "1 minute"
    })
    expect(defectOf(long)).toMatchObject({ _tag: "Stuck", reason: "too_long", atMs: 60_000 })
    expect(finalized).toEqual(["deferred", "promise", "busy", "long"])
  })
})

describe("TimerHeap", () => {
  it("is a list sorted by time and arrival, whatever is added and removed", () => {
    const step = fc.oneof(
      fc.record({ does: fc.constant("add" as const), at: fc.nat(20) }),
      fc.record({ does: fc.constant("remove" as const), at: fc.nat(50) }),
      fc.record({ does: fc.constant("take" as const), at: fc.constant(0) })
    )
    fc.assert(fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const heap = new TimerHeap()
      const all: Array<Timer> = []
      let model: Array<Timer> = []
      for (const { at, does } of steps) {
        if (does === "add") {
          const timer = heap.add(at, () => {})
          all.push(timer)
          model = [...model, timer].sort((a, b) => a.at - b.at || a.order - b.order)
        } else if (does === "take") {
          expect(heap.takeFirst()).toBe(model.shift())
        } else if (all.length > 0) {
          const timer = all[at % all.length]!
          expect(heap.remove(timer)).toBe(model.includes(timer))
          model = model.filter((other) => other !== timer)
        }
        expect(heap.size).toBe(model.length)
      }
    }))
  })
})
