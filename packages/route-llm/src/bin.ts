#!/usr/bin/env node
/**
 * The `route-llm` command. Heavy parts are imported by the command that needs them.
 */
import { Command, Options, ValidationError } from "@effect/cli"
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { Cause, Console, Data, Duration, Effect, Option, Predicate, Schema } from "effect"

const DurationText = Schema.NonEmptyTrimmedString.pipe(
  Schema.filter((text) => Option.isSome(Duration.decodeUnknown(text)) || "a duration such as \"15 minutes\"")
)

/** Options that exclude each other. */
class Contradiction extends Data.TaggedError("Contradiction")<{ readonly message: string }> {}

const demo = Command.make("demo", {
  trace: Options.text("trace").pipe(
    Options.withDescription("A trace to play, in the format of the Azure LLM inference dataset"),
    Options.optional
  ),
  duration: Options.text("duration").pipe(
    Options.withSchema(DurationText),
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
    Options.withDescription("How many times as fast as life the traffic is played; default 60"),
    Options.optional
  ),
  json: Options.boolean("json").pipe(Options.withDescription("Print the report as JSON, and nothing else")),
  compare: Options.boolean("compare").pipe(
    Options.withDescription("Simulate an hour of it on virtual time with every strategy instead, and compare them")
  ),
  real: Options.boolean("real").pipe(
    Options.withDescription("Send a handful of requests to the real vendors whose keys are in the environment instead")
  )
}, ({ compare, duration, real, speed, ...options }) =>
  Effect.gen(function*() {
    const workload = { ...options, duration: Option.flatMap(duration, Duration.decodeUnknown) }
    if (compare && (real || Option.isSome(speed))) {
      return yield* new Contradiction({
        message: "--compare runs on virtual time: it takes neither --real nor --speed."
      })
    }
    if (compare) return yield* (yield* Effect.promise(() => import("./demo/compare.ts"))).compare(workload)
    if (real) return yield* (yield* Effect.promise(() => import("./demo/real.ts"))).real(options.json)
    const { demo } = yield* Effect.promise(() => import("./demo/demo.ts"))
    return yield* demo({ ...workload, speed: Option.getOrElse(speed, () => 60) })
  })).pipe(
    Command.withDescription(
      "A quarter of an hour of traffic in 30 s: a try/catch chain and route-llm side by side, no keys needed"
    )
  )

const command = Command.make("route-llm").pipe(
  Command.withDescription("Routes LLM requests over your own clients"),
  Command.withSubcommands([demo])
)

const failed = (cause: Cause.Cause<unknown>) => {
  const error = Cause.squash(cause)
  const told = ValidationError.isValidationError(error)
    ? Effect.void
    : Console.error(String(Predicate.hasProperty(error, "message") ? error.message : error))
  return Effect.zipRight(told, Effect.sync(() => process.exitCode = 1))
}

const cli = Command.run(command, { name: "route-llm", version: "0.1.0" })

cli(process.argv).pipe(
  // What a command fails with is written for the user: its message, without a stack. Usage errors are printed already.
  Effect.catchAllCause((cause) => Cause.isInterruptedOnly(cause) ? Effect.failCause(cause) : failed(cause)),
  Effect.provide(NodeContext.layer),
  NodeRuntime.runMain({ disableErrorReporting: true })
)
