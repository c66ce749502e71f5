/**
 * The configuration as environment variables: one provider for each vendor whose key is set.
 *
 * - `OPENAI_API_KEY`, `ANTHROPIC_API_KEY`, `GEMINI_API_KEY` (or else `GOOGLE_API_KEY`), `GROQ_API_KEY`: each that is set
 *   adds the provider `openai`, `anthropic`, `gemini` or `groq`.
 * - `OPENAI_MODEL`, `OPENAI_BASE_URL`, `OPENAI_RPM_LIMIT`, `OPENAI_TPM_LIMIT`, `OPENAI_WEIGHT`, and so for the others: its
 *   settings. The defaults are the adapter's.
 * - `ROUTE_LLM_WINDOW_SECONDS`, `ROUTE_LLM_REDIS_URL`: the router's.
 *
 * Space around a value does not count; a blank one counts as unset.
 *
 * @since 0.1.0
 */
import { type ConfigProblem, decodeRouterConfig, type InvalidConfig, type RouterConfig } from "@route-llm/core"
import { Effect, Predicate } from "effect"
import { type ConfigOptions, lookUp, withVariables } from "./internal/environment.ts"

const source = "environment"

const vendors = [
  { name: "openai", prefix: "OPENAI", keys: ["OPENAI_API_KEY"] },
  { name: "anthropic", prefix: "ANTHROPIC", keys: ["ANTHROPIC_API_KEY"] },
  { name: "gemini", prefix: "GEMINI", keys: ["GEMINI_API_KEY", "GOOGLE_API_KEY"] },
  { name: "groq", prefix: "GROQ", keys: ["GROQ_API_KEY"] }
] as const

/** A value and the variable that it came from. */
interface Found {
  readonly variable: string
  readonly value: unknown
}

type Fields = { readonly [field: string]: Found | undefined }

const text = (variable: string): Effect.Effect<Found | undefined, InvalidConfig> =>
  Effect.map(lookUp(variable, source), (value) => value === undefined ? undefined : { variable, value: value.trim() })

/** What is no number stays as it is, for the error to show. */
const number = (variable: string): Effect.Effect<Found | undefined, InvalidConfig> =>
  Effect.map(text(variable), (found) => {
    const value = Number(found?.value)
    return found === undefined || Number.isNaN(value) ? found : { variable, value }
  })

const firstText = (variables: ReadonlyArray<string>) =>
  Effect.map(Effect.forEach(variables, text), (found) => found.find(Predicate.isNotUndefined))

const providerFields = ({ keys, name, prefix }: (typeof vendors)[number]): Effect.Effect<Fields, InvalidConfig> =>
  Effect.all({
    name: Effect.succeed({ variable: keys[0], value: name }),
    apiKey: firstText(keys),
    model: text(`${prefix}_MODEL`),
    baseUrl: text(`${prefix}_BASE_URL`),
    rpmLimit: number(`${prefix}_RPM_LIMIT`),
    tpmLimit: number(`${prefix}_TPM_LIMIT`),
    weight: number(`${prefix}_WEIGHT`)
  })

const routerFields: Effect.Effect<Fields, InvalidConfig> = Effect.all({
  redisUrl: text("ROUTE_LLM_REDIS_URL"),
  windowSeconds: number("ROUTE_LLM_WINDOW_SECONDS")
})

const valuesOf = (fields: Fields) =>
  Object.fromEntries(
    Object.entries(fields).flatMap(([field, found]) => found === undefined ? [] : [[field, found.value]])
  )

const noProvider: ConfigProblem = {
  path: [],
  kind: "missing",
  issue: `expected a vendor's key, found none: set one or more of ${vendors.map(({ keys }) => keys[0]).join(", ")}`
}

/**
 * Reads the environment, or whatever `ConfigProvider` is in force. Fails with everything that is wrong at once, each by
 * the variable's name; without any key, with the names of those that can be set.
 *
 * @since 0.1.0
 */
export const fromEnv = ({ check, ...options }: ConfigOptions = {}): Effect.Effect<RouterConfig, InvalidConfig> =>
  Effect.gen(function*() {
    const providers = (yield* Effect.forEach(vendors, providerFields)).filter(({ apiKey }) => apiKey !== undefined)
    const settings = yield* routerFields
    return yield* decodeRouterConfig({ ...valuesOf(settings), providers: providers.map(valuesOf) }, {
      source,
      check,
      problems: providers.length === 0 ? [noProvider] : [],
      locate: ({ path: [field, index, providerField] }) => {
        const found = index === undefined ? settings[String(field)] : providers[Number(index)]?.[String(providerField)]
        return { path: [found?.variable ?? "(environment)"] }
      }
    })
  }).pipe(withVariables(options))
