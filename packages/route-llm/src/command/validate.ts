import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import { defaultConfig } from "./sourceOptions.ts"

const options = {
  config: Options.file("config").pipe(
    Options.withDescription(`The YAML file to check; default ${defaultConfig}`),
    Options.withDefault(defaultConfig)
  ),
  json: Options.boolean("json").pipe(Options.withDescription("Print what was found as JSON")),
  schema: Options.boolean("schema").pipe(
    Options.withDescription("Print the JSON Schema of such a file instead, for an editor that completes and checks it")
  )
}

export const validate = Command.make("validate", options, ({ config, json, schema }) =>
  Effect.gen(function*() {
    const run = yield* Effect.promise(() => import("./runValidate.ts"))
    return yield* schema ? run.printSchema : run.check(config, json)
  })).pipe(Command.withDescription("Checks a configuration: everything that is wrong, each by line and column"))
