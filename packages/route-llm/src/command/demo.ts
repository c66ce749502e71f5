import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { checked, portOption } from "./checkedOptions.ts"
import { Misused } from "./outcomes.ts"

/** Neither nothing nor for ever. */
const isSpan = (duration: Duration.Duration): boolean =>
  Duration.isFinite(duration) && Duration.greaterThan(duration, Duration.zero)

const options = {
  trace: Options.text("trace").pipe(
    Options.withDescription("A trace to play, in the format of the Azure LLM inference dataset"),
    Options.optional
  ),
  duration: Options.text("duration").pipe(
    Options.filterMap(
      (text) => Option.filter(Duration.decodeUnknown(text), isSpan),
      "--duration takes a span of time such as \"15 minutes\"."
    ),
    Options.withDescription(
      "The busiest span of this length; default \"15 minutes\", with --trace or --compare the whole"
    ),
    Options.optional
  ),
  seed: Options.integer("seed").pipe(
    Options.withDescription("Of the synthetic traffic and the vendors' latencies"),
    Options.withDefault(1)
  ),
  speed: Options.float("speed").pipe(
    checked((speed) => speed > 0 && Number.isFinite(speed), "--speed takes a number above 0."),
    Options.withDescription("How many times as fast as life the traffic is played; default 60, with --dashboard 5"),
    Options.optional
  ),
  json: Options.boolean("json").pipe(Options.withDescription("Print the report as JSON, and nothing else")),
  compare: Options.boolean("compare").pipe(
    Options.withDescription("Simulate an hour of it on virtual time with every strategy instead, and compare them")
  ),
  real: Options.boolean("real").pipe(
    Options.withDescription("Send a handful of requests to the real vendors whose keys are in the environment instead")
  ),
  dashboard: Options.boolean("dashboard").pipe(
    Options.withDescription("Show the traffic through route-llm in the browser instead, with a bad minute now and then")
  ),
  port: portOption("Of the dashboard; default 8501, 0 for any that is free")
}

export const demo = Command.make(
  "demo",
  options,
  ({ compare, dashboard, port, real, speed, ...workload }) =>
    Effect.gen(function*() {
      if (compare && (real || Option.isSome(speed))) {
        return yield* new Misused({ message: "--compare runs on virtual time: it takes neither --real nor --speed." })
      }
      if (dashboard && (compare || real || workload.json)) {
        return yield* new Misused({ message: "--dashboard goes with none of --compare, --real and --json." })
      }
      if (!dashboard && Option.isSome(port)) {
        return yield* new Misused({ message: "--port is the dashboard's: it takes --dashboard." })
      }
      if (dashboard) {
        const { board } = yield* Effect.promise(() => import("../demo/board.ts"))
        const played = { ...workload, speed: Option.getOrElse(speed, () => 5), port: Option.getOrUndefined(port) }
        return yield* board(played)
      }
      if (compare) return yield* (yield* Effect.promise(() => import("../demo/compare.ts"))).compare(workload)
      if (real) return yield* (yield* Effect.promise(() => import("../demo/real.ts"))).real(workload.json)
      const { demo } = yield* Effect.promise(() => import("../demo/demo.ts"))
      return yield* demo({ ...workload, speed: Option.getOrElse(speed, () => 60) })
    })
).pipe(
  Command.withDescription(
    "A quarter of an hour of traffic in 30 s: a try/catch chain and route-llm side by side, no keys needed"
  )
)
