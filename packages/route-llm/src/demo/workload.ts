import * as FileSystem from "@effect/platform/FileSystem"
import { busiest, parseTrace, synthetic, type Workload } from "@route-llm/core/simulation"
import { Duration, Effect, Option } from "effect"

export interface WorkloadOptions {
  readonly trace: Option.Option<string>
  readonly duration: Option.Option<Duration.Duration>
  readonly seed: number
}

export interface Loaded {
  /** The trace's file, or `"synthetic"`. */
  readonly source: string
  readonly workload: Workload
}

/** The busiest span of the trace, or of an hour that is made; whole unless told. */
export const loadWorkload = ({ duration, seed, trace }: WorkloadOptions) =>
  Effect.gen(function*() {
    const cut = (workload: Workload) =>
      Option.match(duration, { onNone: () => workload, onSome: (span) => busiest(workload, span) })
    if (Option.isNone(trace)) {
      const hours = Duration.max(Option.getOrElse(duration, () => Duration.hours(1)), Duration.hours(1))
      return { source: "synthetic", workload: cut(synthetic({ seed, duration: hours })) } satisfies Loaded
    }
    const files = yield* FileSystem.FileSystem
    const workload = yield* parseTrace(yield* files.readFileString(trace.value), trace.value)
    return { source: trace.value, workload: cut(workload) } satisfies Loaded
  })

/** How long it is, begun minutes counted whole. */
export const minutesOf = (workload: Workload): number => Math.ceil((workload.at(-1)?.atMs ?? 0) / 60_000)
