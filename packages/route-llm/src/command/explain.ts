import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import { sourceOptions } from "./sourceOptions.ts"

const options = {
  ...sourceOptions,
  request: Options.file("request").pipe(
    Options.withDescription("A request as JSON, as `chat` takes it; - reads it from the standard input"),
    Options.optional
  ),
  input: Options.integer("input").pipe(
    Options.withDescription("Tokens of input; default the request's estimate, without a request 1000"),
    Options.optional
  ),
  maxTokens: Options.integer("max-tokens").pipe(
    Options.withDescription("The most tokens that the answer may have"),
    Options.optional
  ),
  priority: Options.choice("priority", ["high", "normal", "low"]).pipe(
    Options.withDescription("The lane; default normal"),
    Options.optional
  ),
  session: Options.text("session").pipe(
    Options.withDescription("Whose session it belongs to"),
    Options.optional
  ),
  provider: Options.text("provider").pipe(
    Options.withDescription("The provider that is forced"),
    Options.optional
  ),
  json: Options.boolean("json").pipe(Options.withDescription("Print the explanation as JSON, and nothing else"))
}

export const explain = Command.make(
  "explain",
  options,
  ({ config, namespace, redis, url, ...asked }) =>
    Effect.gen(function*() {
      const { openSource } = yield* Effect.promise(() => import("./Source.ts"))
      const { run } = yield* Effect.promise(() => import("./runExplain.ts"))
      return yield* run(openSource({ config, namespace, redis, url }), asked)
    }).pipe(Effect.scoped)
).pipe(
  Command.withDescription("Where a request would go now, and why; nothing is sent")
)
