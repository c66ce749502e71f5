import { type ConfigSource, InvalidConfig } from "@route-llm/core"
import { Config, ConfigProvider, Effect, Option, Predicate, Record } from "effect"
import { shownName } from "./variables.ts"

/**
 * @since 0.1.0
 */
export interface ConfigOptions {
  /** Where variables are looked up; default: the `ConfigProvider` in force, the environment unless replaced. */
  readonly variables?: { readonly [name: string]: string | undefined } | undefined
  /** Fields that may be left out where their variable is not set, as `apiKey` where nobody is called; default none. */
  readonly unneeded?: ReadonlySet<string> | undefined
  /** What else has to hold; reported where it was written. */
  readonly check?: ConfigSource["check"]
}

/** A variable's value; a blank one counts as unset. */
export const lookUp = (name: string, source: string): Effect.Effect<string | undefined, InvalidConfig> =>
  Config.option(Config.string(name)).pipe(
    Effect.map((value) => Option.getOrUndefined(Option.filter(value, (text) => text.trim() !== ""))),
    Effect.mapError(() =>
      new InvalidConfig({ source, issues: [{ path: shownName(name), issue: "it could not be looked up" }] })
    )
  )

export const withVariables =
  ({ variables }: ConfigOptions) => <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => {
    if (variables === undefined) return effect
    const set = Object.entries(Record.filter(variables, Predicate.isNotUndefined))
    return Effect.withConfigProvider(effect, ConfigProvider.fromMap(new Map(set)))
  }
