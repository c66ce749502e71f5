/**
 * The best candidate that may take the request now: one pass, no allocation. Providers that would run dry within the
 * look-ahead come after those that would not, except for the high lane; then the policy decides, then the draw.
 */
import type { LaneView } from "../../Policy.ts"
import type { RouterSettings } from "../../RouterOptions.ts"
import type { Demand } from "../../RouterState.ts"
import { admits } from "./Admission.ts"
import type { ProviderLedger } from "./ProviderLedger.ts"
import { isAtRisk } from "./Risk.ts"

export type LaneViews = Readonly<Record<Demand["lane"], LaneView>>

/** How the options weigh each lane, worked out once. */
export const laneViews = ({ latency, weights }: RouterSettings): LaneViews => {
  const view = (lane: Demand["lane"]) => ({ lane, weights: weights[lane], latencyCeilingMs: latency.ceiling })
  return { high: view("high"), normal: view("normal"), low: view("low") }
}

export const best = (
  providers: ReadonlyArray<ProviderLedger>,
  demand: Demand,
  settings: RouterSettings,
  views: LaneViews,
  nowMs: number
): ProviderLedger | undefined => {
  const view = views[demand.lane]
  const predicts = demand.lane !== "high" && settings.lookAhead > 0
  let chosen: ProviderLedger | undefined
  let chosenScore = Number.NEGATIVE_INFINITY
  let chosenSafe = false
  let ties: Array<ProviderLedger> | undefined
  for (let index = 0; index < providers.length; index++) {
    const provider = providers[index]!
    provider.roll(nowMs)
    provider.quote(demand)
    // A user's policy may answer anything; what is no number comes last.
    const answered = settings.policy(provider, view)
    const score = answered > Number.NEGATIVE_INFINITY ? answered : -Number.MAX_VALUE
    // The cheapest question first: most candidates are behind one that has been found already.
    if (chosenSafe && score < chosenScore) continue
    if (!admits(provider, demand)) continue
    const safe = !predicts || !isAtRisk(provider)
    if (safe === chosenSafe ? score < chosenScore : chosenSafe) continue
    if (safe === chosenSafe && score === chosenScore && chosen !== undefined) {
      ties = ties === undefined ? [chosen, provider] : [...ties, provider]
    } else {
      chosen = provider
      chosenScore = score
      chosenSafe = safe
      ties = undefined
    }
  }
  return ties === undefined ? chosen : ties[Math.floor(demand.draw * ties.length)]
}
