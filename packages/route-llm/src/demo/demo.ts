/**
 * The main job, side by side: the same traffic through the try/catch chain that people write today, and through
 * route-llm; four official SDK clients, four vendors on loopback with real limits.
 */
import { FileSystem } from "@effect/platform"
import { Router, type RouterStatus } from "@route-llm/core"
import { busiest, parseTrace, synthetic, type Workload } from "@route-llm/core/simulation"
import { Console, Duration, Effect, type Option, Ref, Schedule } from "effect"
import { play, type Played } from "./play.ts"
import { liveTable, renderReport } from "./render.ts"
import { type DemoReport, type StrategyReport, summarize } from "./report.ts"
import { openScreen, type Screen } from "./screen.ts"
import { chain, type Clients, connectClients, routed, routeLlm, type Strategy } from "./strategies.ts"
import { demoVendors, startVendors, type Vendors } from "./vendors.ts"

export interface DemoOptions {
  readonly trace: Option.Option<string>
  readonly duration: Option.Option<Duration.Duration>
  readonly seed: number
  readonly speed: number
  readonly json: boolean
}

/** Of the synthetic hour; a trace is played whole unless told. */
const defaultDuration = Duration.minutes(15)

const load = ({ duration, seed, trace }: DemoOptions) =>
  Effect.gen(function*() {
    if (trace._tag === "None") {
      const span = duration._tag === "Some" ? duration.value : defaultDuration
      const hour = synthetic({ seed, duration: Duration.max(span, Duration.hours(1)) })
      return { source: "synthetic", workload: busiest(hour, span) }
    }
    const files = yield* FileSystem.FileSystem
    const workload = yield* parseTrace(yield* files.readFileString(trace.value), trace.value)
    return { source: trace.value, workload: duration._tag === "Some" ? busiest(workload, duration.value) : workload }
  })

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
    const { source, workload } = yield* load(options)
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
    const lastMs = workload[workload.length - 1]?.atMs ?? 0
    const report: DemoReport = {
      workload: {
        source,
        requests: workload.length,
        minutes: Math.ceil(lastMs / 60_000),
        speed: options.speed,
        seed: options.seed
      },
      strategies: [chained, routedReport]
    }
    yield* screen.close
    yield* Console.log(options.json ? JSON.stringify(report, null, 2) : renderReport(report))
    return report
  }))
