import { Context } from "effect"
import type { ProviderSpec } from "../../src/Provider.ts"
import { countEverything, type Limits } from "../../src/RateLimit.ts"
import { RouterOptions } from "../../src/RouterOptions.ts"
import type { Demand } from "../../src/RouterState.ts"

export const settings = Context.get(Context.empty(), RouterOptions)

export const spec = (name: string, limits: Limits = {}, more: Partial<ProviderSpec> = {}): ProviderSpec => ({
  name,
  model: "m",
  limits,
  weight: 1,
  counting: countEverything,
  ...more
})

export const demandOn = (providers: Demand["providers"], demand: Partial<Demand> = {}): Demand => ({
  providers,
  lane: "normal",
  inputTokens: 10,
  tried: [],
  draw: 0.5,
  waitMs: 0,
  timeLeftMs: 60_000,
  ...demand
})
