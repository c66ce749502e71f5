import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import { checked } from "./checkedOptions.ts"
import { sourceOptions } from "./sourceOptions.ts"

const options = {
  ...sourceOptions,
  watch: Options.boolean("watch").pipe(
    Options.withAlias("w"),
    Options.withDescription("Look again and again, in place on a terminal; q or Ctrl-C ends it")
  ),
  interval: Options.float("interval").pipe(
    checked((seconds) => seconds >= 0.1 && seconds <= 3600, "--interval takes a number of seconds from 0.1 to 3600."),
    Options.withDescription("Seconds between two looks with --watch; default 3"),
    Options.withDefault(3)
  ),
  json: Options.boolean("json").pipe(
    Options.withDescription("Print the report as JSON, and nothing else; with --watch one a line")
  )
}

export const status = Command.make(
  "status",
  options,
  ({ config, interval, json, namespace, redis, url, watch }) =>
    Effect.gen(function*() {
      const { openSource } = yield* Effect.promise(() => import("./Source.ts"))
      const source = yield* openSource({ config, namespace, redis, url })
      const run = yield* Effect.promise(() => import("./runStatus.ts"))
      return yield* watch ? run.watch(source, { seconds: interval, json }) : run.once(source, json)
    }).pipe(Effect.scoped)
).pipe(
  Command.withDescription("Each provider's use, headroom, circuit and latency, who waits, and sums")
)
