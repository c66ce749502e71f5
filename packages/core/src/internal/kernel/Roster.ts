import type { ProviderSpec } from "../../Provider.ts"
import type { RouterSettings } from "../../RouterOptions.ts"
import { ProviderLedger } from "./ProviderLedger.ts"

/** A provider with another model is another one: its vendor counts each model by itself. */
const identityOf = ({ model, name }: ProviderSpec): string => JSON.stringify([name, model])

/**
 * Keeps one `ProviderLedger` a provider and model, through changes of the list: one that left is remembered until nothing
 * of it is in flight and the last that it counted has left its window, since its vendor remembers it as long.
 */
export class Roster {
  /** Those of the newest list. */
  providers: ReadonlyArray<ProviderLedger> = []
  specs: ReadonlyArray<ProviderSpec> = []
  #byName: ReadonlyMap<string, ProviderLedger> = new Map()
  /** These and those that left, by `identityOf`, as long as their vendors remember them. */
  readonly #known = new Map<string, ProviderLedger>()

  constructor(readonly settings: RouterSettings) {}

  /** Of the newest list. */
  get(name: string): ProviderLedger | undefined {
    return this.#byName.get(name)
  }

  /** Those that left as well, as long as their vendors remember them. */
  get remembered(): ReadonlyArray<ProviderLedger> {
    return [...this.#known.values()]
  }

  /** Takes over a list; answers whether it is another one. */
  follow(specs: ReadonlyArray<ProviderSpec>, nowMs: number): boolean {
    if (specs === this.specs) return false
    for (const provider of this.providers) {
      provider.leftAtMs = nowMs
      provider.keptFor = undefined
    }
    this.providers = specs.map((spec) => {
      const identity = identityOf(spec)
      const provider = this.#known.get(identity) ?? new ProviderLedger(spec, this.settings, nowMs)
      provider.spec = spec
      provider.leftAtMs = undefined
      this.#known.set(identity, provider)
      return provider
    })
    this.#byName = new Map(this.providers.map((provider) => [provider.name, provider]))
    this.specs = specs
    for (const [identity, provider] of this.#known) {
      if (provider.isForgotten(nowMs)) this.#known.delete(identity)
    }
    return true
  }
}
