import type { InvalidConfig, MissingPackage, Provider, RouterConfig } from "@route-llm/core"
import {
  type Adapter,
  type AdapterName,
  adapters,
  type AnyClient,
  connectProvider,
  isAdapterName,
  makeProvider
} from "@route-llm/providers"
import { Effect } from "effect"

/** One provider of a checked configuration. */
export type ProviderEntry = RouterConfig["providers"][number]

export const adapterOf = (name: AdapterName): Adapter<AnyClient> => adapters[name] as Adapter<AnyClient>

const settingsOf = ({ contextWindow, counting, model, name, weight, ...entry }: ProviderEntry) => ({
  name,
  model,
  contextWindow,
  counting,
  weight,
  rpm: entry.rpmLimit,
  tpm: entry.tpmLimit,
  inputTpm: entry.inputTpmLimit,
  outputTpm: entry.outputTpmLimit,
  rpd: entry.rpdLimit,
  tpd: entry.tpdLimit,
  concurrency: entry.concurrencyLimit
})

const unchecked = Effect.dieMessage("a checked configuration lacks an adapter or a key")

/** The provider over a client of its own, whose SDK is imported for it. */
export const connectEntry = (entry: ProviderEntry): Effect.Effect<Provider, InvalidConfig | MissingPackage> => {
  const { adapter = entry.name, apiKey, baseUrl } = entry
  return isAdapterName(adapter) && apiKey !== undefined
    ? connectProvider(adapterOf(adapter), { ...settingsOf(entry), apiKey, baseUrl })
    : unchecked
}

// An adapter looks at its client when it calls it, so this one is never looked at.
const noClient = {} as AnyClient

/** The provider for a router that is only looked at: it has no client, so every call of it fails. */
export const entryWithoutClient = (entry: ProviderEntry): Effect.Effect<Provider> => {
  const { adapter = entry.name } = entry
  return isAdapterName(adapter)
    ? Effect.succeed(makeProvider(adapterOf(adapter), { ...settingsOf(entry), client: noClient }))
    : unchecked
}
