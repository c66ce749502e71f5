import type { ConfigProblem, RouterConfig } from "@route-llm/core"
import { adapterNames, isAdapterName } from "@route-llm/providers"

const known = adapterNames.join(", ")

/** As the schema's own issues have it: a key that slipped into the field is longer, and is not shown. */
const found = (text: string): string =>
  text.length <= 24 ? `the text ${JSON.stringify(text)}` : `a text of length ${text.length}`

const checkProvider = (
  { adapter, apiKey, name }: RouterConfig["providers"][number],
  index: number,
  calls: boolean
): ReadonlyArray<ConfigProblem> => {
  const problem = (field: string, issue: string): ConfigProblem => ({
    path: ["providers", index, field],
    kind: "missing",
    issue
  })
  const unknown = adapter === undefined
    ? problem("adapter", `expected one of ${known}, found nothing, and the provider's name is no adapter's`)
    : { ...problem("adapter", `expected one of ${known}, found ${found(adapter)}`), kind: "invalid" as const }
  const keyless = problem("apiKey", "expected a key, found nothing (or leave the provider out and register a client)")
  return [
    ...(isAdapterName(adapter ?? name) ? [] : [unknown]),
    ...(calls && apiKey === undefined ? [keyless] : [])
  ]
}

const check = (calls: boolean) => ({ providers }: RouterConfig): ReadonlyArray<ConfigProblem> =>
  providers.flatMap((provider, index) => provider.enabled === false ? [] : checkProvider(provider, index, calls))

/** What only this package can check: each provider has an adapter and a key. */
export const checkConfig = check(true)

/** The same for a router that calls nobody: without a key. */
export const checkAdapters = check(false)
