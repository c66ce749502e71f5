import * as Console from "effect/Console"
import * as Effect from "effect/Effect"

/**
 * @effect/cli 0.77 writes `route__llm` where bash looks for a subcommand of it, and `route-llm` where it remembers the
 * command itself, so no subcommand would ever be found.
 */
const mended = (script: string): string =>
  script.replaceAll("cmd=\"route-llm\"", "cmd=\"route__llm\"").replace(/^( +)route-llm\)$/m, "$1route__llm)")

/** Mends the completions that are printed; everything else is as it was. */
export const withCompletions = (argv: ReadonlyArray<string>) => <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  argv.includes("--completions")
    ? Console.consoleWith((console) =>
      Effect.withConsole(effect, {
        ...console,
        log: (...args) => console.log(...args.map((arg: unknown) => typeof arg === "string" ? mended(arg) : arg))
      })
    )
    : effect
