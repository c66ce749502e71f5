import { Context } from "effect"
import { Ledger } from "../src/internal/kernel/Ledger.ts"
import type { ProviderSpec } from "../src/Provider.ts"
import { countEverything, type Limits } from "../src/RateLimit.ts"
import { RouterOptions } from "../src/RouterOptions.ts"
import type { Demand } from "../src/RouterState.ts"

export const settings = Context.get(Context.empty(), RouterOptions)

const rounds = 7

/** Nanoseconds a turn, the best of several rounds: what the machine does meanwhile only ever adds. */
export const best = (iterations: number, run: (index: number) => void): number => {
  let fastest = Number.POSITIVE_INFINITY
  for (let round = 0; round < rounds; round++) {
    const started = process.hrtime.bigint()
    for (let index = 0; index < iterations; index++) run(index)
    fastest = Math.min(fastest, Number(process.hrtime.bigint() - started) / iterations)
  }
  return fastest
}

export const providersOf = (count: number, limits: Limits): ReadonlyArray<ProviderSpec> =>
  Array.from({ length: count }, (_, index) => ({
    name: `provider-${index}`,
    model: "model",
    limits,
    weight: 1 + (index % 7) / 10,
    counting: countEverything
  }))

export const usage = { inputTokens: 500, outputTokens: 200 }

export const ledgerOf = (providers: ReadonlyArray<ProviderSpec>) => {
  const demand: Demand = {
    providers,
    lane: "normal",
    inputTokens: 500,
    tried: [],
    draw: 0.5,
    waitMs: 0,
    timeLeftMs: 60_000
  }
  return { demand, ledger: new Ledger(settings, () => {}) }
}
