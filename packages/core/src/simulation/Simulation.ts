/**
 * A workload through a strategy over simulated vendors, on virtual time: an hour of production traffic in seconds. The
 * same seed and workload give the same report, byte for byte.
 *
 * ```ts
 * import { simulate, strategies, synthetic } from "@route-llm/core/simulation"
 * import { Effect } from "effect"
 *
 * const program = Effect.forEach([strategies.chain, strategies.fit], (strategy) =>
 *   simulate({
 *     workload: synthetic({ seed: 1, duration: "10 minutes" }),
 *     vendors: [
 *       { name: "a", limits: { requests: 200, tokens: 200_000 } },
 *       { name: "b", limits: { requests: 100, tokens: 300_000 } }
 *     ],
 *     strategy,
 *     seed: 1
 *   }))
 *
 * for (const { rateLimited, served, strategy } of Effect.runSync(program)) {
 *   console.log(`${strategy}: ${served} served, ${rateLimited} 429s`)
 * }
 * ```
 *
 * It is a model: what a router decides is real, what a vendor does is what `VendorModel` says.
 *
 * @since 0.1.0
 */
import { Cause, Duration, Effect, Exit, FiberSet } from "effect"
import type { ChatRequest } from "../ChatRequest.ts"
import { monotonicMs } from "../internal/clock.ts"
import { DuplicateProvider, type InvalidConfig } from "../RouterError.ts"
import { makeReaper } from "./internal/reaper.ts"
import { type Ended, summarize } from "./internal/summary.ts"
import type { SimulationReport } from "./internal/summary.ts"
import { type EstimateError, layerEstimator, toRequest } from "./SimulatedRequest.ts"
import { SimulatedVendor } from "./SimulatedVendor.ts"
import type { Outcome, Running, Strategy } from "./Strategy.ts"
import type { VendorModelInput } from "./VendorModel.ts"
import { VirtualClock } from "./VirtualClock.ts"
import type { Workload, WorkloadRequest } from "./Workload.ts"

export type { SimulationReport }

/**
 * - `vendors`: in the order in which a chain would try them;
 * - `seed`: of every draw: latencies, ties, and by how much estimates err;
 * - `maxWait`: the longest a request may wait for room; default 30 s;
 * - `timeout`: a request's whole budget; default 5 min;
 * - `estimates`: how far the router's estimates of input are off; default a tenth (`sigma` 0.1);
 * - `request`: how a request of the workload is made, for lanes, sessions and `maxTokens`; default `toRequest`.
 *
 * @since 0.1.0
 */
export interface SimulationOptions {
  readonly workload: Workload
  readonly vendors: ReadonlyArray<VendorModelInput>
  readonly strategy: Strategy
  readonly seed: number
  readonly maxWait?: Duration.DurationInput
  readonly timeout?: Duration.DurationInput
  readonly estimates?: EstimateError
  readonly request?: (each: WorkloadRequest, index: number) => ChatRequest
}

const outcomeOf = (exit: Exit.Exit<Outcome>): Outcome =>
  Exit.match(exit, {
    onSuccess: (outcome) => outcome,
    onFailure: (cause) => ({ _tag: "Refused", reason: Cause.isInterruptedOnly(cause) ? "TimedOut" : "Defect" })
  })

/** Sends each request when it is due, whether or not earlier ones have ended: as users do. */
const play = (
  { request = toRequest, workload }: SimulationOptions,
  { send }: Running,
  timeoutMs: number
): Effect.Effect<ReadonlyArray<Ended>> =>
  Effect.scoped(Effect.gen(function*() {
    const clock = yield* Effect.clock
    const fibers = yield* FiberSet.make()
    const fork = yield* FiberSet.runtime(fibers)()
    const interruptLater = yield* makeReaper(timeoutMs)
    const ended: Array<Ended> = []
    for (const [index, each] of workload.entries()) {
      const dueInMs = each.atMs - monotonicMs(clock)
      if (dueInMs > 0) yield* Effect.sleep(dueInMs)
      const arrivedMs = monotonicMs(clock)
      const end = (outcome: Outcome) => void ended.push({ outcome, totalMs: monotonicMs(clock) - arrivedMs })
      const sent = Effect.onExit(send(request(each, index)), (exit) => Effect.sync(() => end(outcomeOf(exit))))
      interruptLater(fork(sent), arrivedMs)
    }
    yield* FiberSet.awaitEmpty(fibers)
    return ended
  }))

/**
 * Plays the workload and reports. Runs in this very call, on virtual time, whatever clock the caller is on; fails where
 * the vendors or the strategy's options do not hold.
 *
 * @since 0.1.0
 */
export const simulate = (
  options: SimulationOptions
): Effect.Effect<SimulationReport, DuplicateProvider | InvalidConfig> => {
  const { estimates, seed, strategy } = options
  const maxWaitMs = Duration.toMillis(options.maxWait ?? "30 seconds")
  const timeoutMs = Duration.toMillis(options.timeout ?? "5 minutes")
  const program = Effect.scoped(Effect.gen(function*() {
    const models = strategy.vendors?.(options.vendors) ?? options.vendors
    const twice = models.find(({ name }, index) => models.findIndex((other) => other.name === name) < index)
    if (twice !== undefined) return yield* new DuplicateProvider({ provider: twice.name })
    const vendors = yield* Effect.forEach(models, (model) => SimulatedVendor.make(model))
    const running = yield* strategy.start({
      providers: vendors.map(({ provider }) => provider),
      models: vendors.map(({ model }) => model),
      maxWaitMs,
      timeoutMs
    })
    const ended = yield* play(options, running, timeoutMs)
    const problems = yield* running.problems ?? Effect.succeed([])
    const counts = yield* Effect.forEach(
      vendors,
      ({ counts, model }) => Effect.map(counts, (seen) => ({ name: model.name, counts: seen }))
    )
    return summarize({
      strategy: strategy.name,
      seed,
      expected: options.workload.length,
      ended,
      counts,
      problems,
      keepsTime: running.keepsTime ?? false
    })
  })).pipe(Effect.provide(layerEstimator({ sigma: 0.1, seed, ...estimates })))
  return Effect.suspend(() => VirtualClock.run(program, { seed }))
}
