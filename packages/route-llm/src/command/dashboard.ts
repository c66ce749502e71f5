import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { checked, portOption } from "./checkedOptions.ts"
import { sourceOptions } from "./sourceOptions.ts"

const options = {
  ...sourceOptions,
  port: portOption("Where the dashboard listens; default 8501, 0 for any that is free"),
  host: Options.text("host").pipe(
    checked((host: string) => host.trim() !== "", "--host takes an address such as 127.0.0.1, and not an empty one."),
    Options.withDescription("The address it listens on; default 127.0.0.1, which only this machine reaches"),
    Options.optional
  )
}

export const dashboard = Command.make("dashboard", options, ({ host, port, ...sought }) =>
  Effect.gen(function*() {
    const { run } = yield* Effect.promise(() => import("./runDashboard.ts"))
    return yield* run(sought, { host: Option.getOrUndefined(host), port: Option.getOrUndefined(port) })
  }).pipe(Effect.scoped)).pipe(
    Command.withDescription("A page that shows a router at work, on http://localhost:8501; Ctrl-C ends it")
  )
