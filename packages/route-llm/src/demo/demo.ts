/**
 * The main job, side by side: the same traffic through the try/catch chain that people write today, and through
 * route-llm; four official SDK clients, four vendors on loopback with real limits.
 */
import { Router, type RouterStatus } from "@route-llm/core"
import type { Workload } from "@route-llm/core/simulation"
import { Console, Duration, Effect, Option, Ref, Schedule } from "effect"
import { play, type Played } from "./play.ts"
import { liveTable, renderReport } from "./render.ts"
import { type DemoReport, type StrategyReport, summarize } from "./report.ts"
import { openScreen, type Screen } from "./screen.ts"
import { chain, type Clients, connectClients, routed, routeLlm, type Strategy } from "./strategies.ts"
import { demoVendors, startVendors, type Vendors } from "./vendors.ts"
import { loadWorkload, minutesOf, type WorkloadOptions } from "./workload.ts"

export interface DemoOptions extends WorkloadOptions {
  readonly speed: number
  readonly json: boolean
}

/** Of the synthetic hour; a trace is played whole unless told. */
const defaultDuration = Duration.minutes(15)

const refresh = Duration.millis(250)

interface Run {
  readonly workload: Workload
  readonly speed: number
  readonly screen: Screen
}

/** Plays the traffic through one strategy, drawing as it goes. */
const run = (
  { screen, speed, workload }: Run,
  strategy: Strategy,
  vendors: Vendors,
  status: Effect.Effect<Option.Option<RouterStatus>>
): Effect.Effect<StrategyReport> =>
  Effect.scoped(Effect.gen(function*() {
    const played = yield* Ref.make<ReadonlyArray<Played>>([])
    const draw = Effect.gen(function*() {
      const done = (yield* Ref.get(played)).length
      const title = `${strategy.name}: ${done} of ${workload.length} requests`
      yield* screen.draw(title, done / workload.length, liveTable(yield* vendors.counts, yield* status, speed))
    })
    yield* Effect.forkScoped(Effect.repeat(draw, Schedule.spaced(refresh)))
    yield* play(workload, strategy, speed, played)
    yield* draw
    return summarize(strategy.name, yield* Ref.get(played), yield* vendors.counts)
  }))

const withVendors = <A, E, R>(
  { seed, speed }: DemoOptions,
  use: (vendors: Vendors, clients: Clients) => Effect.Effect<A, E, R>
) =>
  Effect.scoped(Effect.gen(function*() {
    const vendors = yield* startVendors({ vendors: demoVendors, speed, seed })
    return yield* use(vendors, yield* connectClients(vendors))
  }))

export const demo = (options: DemoOptions) =>
  Effect.scoped(Effect.gen(function*() {
    const synthetic = Option.isNone(options.trace)
    const duration = synthetic ? Option.orElseSome(options.duration, () => defaultDuration) : options.duration
    const { source, workload } = yield* loadWorkload({ ...options, duration })
    const screen = yield* openScreen(!options.json)
    const shared = { workload, speed: options.speed, screen }
    const chained = yield* withVendors(
      options,
      (vendors, clients) => run(shared, chain(clients), vendors, Effect.succeedNone)
    )
    const routedReport = yield* withVendors(options, (vendors, clients) =>
      Effect.gen(function*() {
        const router = yield* Router
        return yield* run(shared, yield* routeLlm, vendors, Effect.asSome(router.status))
      }).pipe(Effect.provide(routed(clients, options.speed))))
    const report: DemoReport = {
      workload: {
        source,
        requests: workload.length,
        minutes: minutesOf(workload),
        speed: options.speed,
        seed: options.seed
      },
      strategies: [chained, routedReport]
    }
    yield* screen.close
    yield* Console.log(options.json ? JSON.stringify(report, null, 2) : renderReport(report))
    return report
  }))
