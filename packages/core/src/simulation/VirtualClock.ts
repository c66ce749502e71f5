/**
 * Drives a whole Effect program on virtual time, synchronously: all its fibers run until each of them waits, then time
 * jumps to the next timer. An hour of traffic takes seconds, no real timer is ever set, and the same seed gives the same
 * run.
 *
 * ```ts
 * import { VirtualClock } from "@route-llm/core/simulation"
 * import { Clock, Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   yield* Effect.all([Effect.sleep("1 hour"), Effect.sleep("2 hours")], { concurrency: "unbounded" })
 *   return yield* Clock.currentTimeMillis
 * })
 *
 * console.log(VirtualClock.run(program, { seed: 1 })) // succeeds with 7,200,000, at once
 * ```
 *
 * For what runs on Effect's own `Clock` and `Random` alone: a program that waits for a real promise, timer or socket does
 * not get its answer, and ends with `Stuck`. `TestClock` is what a test wants that moves time by hand.
 *
 * @since 0.1.0
 */
import { Clock, Data, Duration, Effect, Exit, type Fiber, Random, Scheduler } from "effect"
import { TimerHeap } from "./internal/TimerHeap.ts"

/**
 * The program will not end: nothing is scheduled, or it goes on without end. A defect, since the program is at fault.
 *
 * @since 0.1.0
 */
export class Stuck extends Data.TaggedError("Stuck")<{
  readonly reason: "deadlock" | "no_progress" | "too_long"
  /** Virtual time since the start. */
  readonly atMs: number
}> {
  override get message(): string {
    return `After ${this.atMs / 1000} s of virtual time ${reasons[this.reason]}.`
  }
}

const reasons = {
  deadlock: "the program waits for something that no fiber and no timer of its own will bring: "
    + "a Deferred that nobody completes, or a real promise, timer or socket",
  no_progress: "its fibers go on and on without ever waiting for time to pass",
  too_long: "it has not ended, which is the longest allowed. Raise `longest` if it should take longer"
} as const

/**
 * - `seed`: of Effect's `Random`;
 * - `longest`: the virtual time after which a program that has not ended is `Stuck`; default 30 days, at most 100.
 *
 * @since 0.1.0
 */
export interface VirtualRunOptions {
  readonly seed: number
  readonly longest?: Duration.DurationInput
}

const nanosPerMs = 1_000_000

/** Nanoseconds are whole numbers up to 104 days. */
const longestMs = 100 * 24 * 60 * 60 * 1000

/** Rounds of whoever can run, at one moment: a program that takes more does not let time pass. */
const mostRounds = 100_000

/**
 * Effect's `Clock`, on virtual time from 0 on, in whole nanoseconds; milliseconds are these, rounded down.
 *
 * @since 0.1.0
 */
export class VirtualClock implements Clock.Clock {
  readonly [Clock.ClockTypeId]: Clock.ClockTypeId = Clock.ClockTypeId
  readonly #timers = new TimerHeap()
  #nowNanos = 0

  readonly currentTimeMillis: Effect.Effect<number> = Effect.sync(() => this.unsafeCurrentTimeMillis())
  readonly currentTimeNanos: Effect.Effect<bigint> = Effect.sync(() => this.unsafeCurrentTimeNanos())

  unsafeCurrentTimeMillis(): number {
    return Math.floor(this.#nowNanos / nanosPerMs)
  }

  unsafeCurrentTimeNanos(): bigint {
    return BigInt(this.#nowNanos)
  }

  /** Timers that have neither fired nor been cancelled. */
  get pending(): number {
    return this.#timers.size
  }

  /** A sleep without end is no timer. */
  sleep(duration: Duration.Duration): Effect.Effect<void> {
    const ms = Duration.toMillis(duration)
    if (ms >= longestMs) return Effect.never
    return Effect.async<void>((resume) => {
      const atNanos = this.#nowNanos + Math.round(ms * nanosPerMs)
      const timer = this.#timers.add(atNanos, () => resume(Effect.void))
      return Effect.sync(() => void this.#timers.remove(timer))
    })
  }

  /**
   * Runs the program to its end, in this very call. Fibers that it leaves behind are dropped where they stand. `Stuck` is
   * a defect of the exit; the program's finalizers have then run, as far as they could.
   */
  static run<A, E>(program: Effect.Effect<A, E>, options: VirtualRunOptions): Exit.Exit<A, E> {
    const clock = new VirtualClock()
    const scheduler = new Scheduler.ControlledScheduler()
    const seeded = program.pipe(Effect.withRandom(Random.make(options.seed)), Effect.withClock(clock))
    const fiber = Effect.runFork(seeded, { scheduler })
    const untilNanos = Math.min(longestMs, Duration.toMillis(options.longest ?? "30 days")) * nanosPerMs
    const stuck = clock.#drive(fiber, scheduler, untilNanos)
    if (stuck === undefined) return fiber.unsafePoll()!
    fiber.unsafeInterruptAsFork(fiber.id())
    clock.#drive(fiber, scheduler, untilNanos)
    return Exit.die(new Stuck({ reason: stuck, atMs: clock.#nowNanos / nanosPerMs }))
  }

  /** Runs everybody until nobody can, and then the next timer, until the fiber has ended. */
  #drive<A, E>(
    fiber: Fiber.RuntimeFiber<A, E>,
    scheduler: Scheduler.ControlledScheduler,
    untilNanos: number
  ): Stuck["reason"] | undefined {
    for (let round = 0;; round++) {
      for (; scheduler.tasks.buckets.length > 0; round++) {
        if (round >= mostRounds) return "no_progress"
        scheduler.step()
      }
      if (fiber.unsafePoll() !== null) return undefined
      const timer = this.#timers.takeFirst()
      if (timer === undefined) return "deadlock"
      if (timer.at > untilNanos) return "too_long"
      if (timer.at > this.#nowNanos) round = 0
      this.#nowNanos = timer.at
      timer.task()
      // All that are due at one moment go at once, in the order in which they were set.
      while (this.#timers.firstAt === this.#nowNanos) this.#timers.takeFirst()!.task()
    }
  }
}
