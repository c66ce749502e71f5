/**
 * The best candidate that may take the request now: one pass, no allocation. Providers that would run dry within the
 * look-ahead come after those that would not, except for the high lane; then the score decides, then the draw.
 */
import type { RouterSettings } from "../../RouterOptions.ts"
import type { Demand } from "../../RouterState.ts"
import { admission, cost } from "./Admission.ts"
import type { ProviderLedger } from "./ProviderLedger.ts"
import { score } from "./Score.ts"

export const best = (
  providers: ReadonlyArray<ProviderLedger>,
  demand: Demand,
  settings: RouterSettings,
  nowMs: number
): ProviderLedger | undefined => {
  const weights = settings.weights[demand.lane]
  const predicts = demand.lane !== "high" && settings.lookAhead > 0
  let chosen: ProviderLedger | undefined
  let chosenScore = Number.NEGATIVE_INFINITY
  let chosenSafe = false
  let ties: Array<ProviderLedger> | undefined
  for (let index = 0; index < providers.length; index++) {
    const provider = providers[index]!
    provider.roll(nowMs)
    const estimatedTokens = cost(provider, demand)
    const points = score(provider, estimatedTokens, weights, settings.latency.ceiling)
    // The cheapest question first: most candidates are behind one that has been found already.
    if (chosenSafe && points < chosenScore) continue
    if (admission(provider, demand, estimatedTokens, nowMs) !== undefined) continue
    const safe = !predicts || !provider.atRisk
    if (safe === chosenSafe ? points < chosenScore : chosenSafe) continue
    if (safe === chosenSafe && points === chosenScore && chosen !== undefined) {
      ties = ties === undefined ? [chosen, provider] : [...ties, provider]
    } else {
      chosen = provider
      chosenScore = points
      chosenSafe = safe
      ties = undefined
    }
  }
  return ties === undefined ? chosen : ties[Math.floor(demand.draw * ties.length)]
}
