import { type ConfigIssue, InvalidConfig } from "@route-llm/core"
import { Console, Effect } from "effect"
import { fromYaml } from "../ConfigFile.ts"
import { checkConfig } from "../internal/checkConfig.ts"
import { configSchema } from "./configSchema.ts"
import { Failed } from "./outcomes.ts"
import { printable, printableJson } from "./terminal/style.ts"

/** As compilers write it, so that editors and terminals find the place. */
const lineOf = (source: string, { column, issue, line, path }: ConfigIssue): string =>
  printable(`${source}${line === undefined ? "" : `:${line}:${column}`}: ${path}: ${issue}`)

const print = (value: unknown): Effect.Effect<void> => Console.log(printableJson(value, 2))

/**
 * Checks a YAML file, with the variables of the environment in place. Fails where it does not hold; with `json` the
 * problems are `{ source, valid, issues: [{ path, issue, line, column }] }` on stdout, else lines on stderr.
 */
export const check = (path: string, json: boolean) =>
  fromYaml(path, { check: checkConfig }).pipe(
    Effect.flatMap(({ providers }) => {
      const names = providers.map(({ enabled, name }) => enabled === false ? `${name} (off)` : name)
      return json
        ? print({ source: path, valid: true, issues: [] })
        : Console.log(printable(`${path} holds. Providers: ${names.join(", ") || "none"}.`))
    }),
    Effect.catchTag("InvalidConfig", ({ issues, source }: InvalidConfig) =>
      Effect.zipRight(
        json ? print({ source, valid: false, issues }) : Effect.void,
        new Failed({
          message: json ? `${source} does not hold.` : issues.map((issue) => lineOf(source, issue)).join("\n")
        })
      ))
  )

/** Prints the JSON Schema of the file. */
export const printSchema = print(configSchema)
