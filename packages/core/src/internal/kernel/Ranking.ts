/**
 * The best candidate that may take the request now: one pass, no allocation. Providers that would run dry within the
 * look-ahead come after those that would not, except for the high lane; then the policy decides, then the draw.
 */
import type { LaneView } from "../../Policy.ts"
import type { RouterSettings } from "../../RouterOptions.ts"
import type { Demand } from "../../RouterState.ts"
import { admits, isRuledOut } from "./Admission.ts"
import type { ProviderLedger } from "./ProviderLedger.ts"
import { isAtRisk } from "./Risk.ts"

export type LaneViews = Readonly<Record<Demand["lane"], LaneView>>

/** How the options weigh each lane, worked out once. */
export const laneViews = ({ latency, weights }: RouterSettings): LaneViews => {
  const view = (lane: Demand["lane"]) => ({ lane, weights: weights[lane], latencyCeilingMs: latency.ceiling })
  return { high: view("high"), normal: view("normal"), low: view("low") }
}

/** A user's policy may answer anything; what is no number comes last. */
const scoreOf = (provider: ProviderLedger, { policy }: RouterSettings, view: LaneView): number => {
  const answered = policy(provider, view)
  return answered > Number.NEGATIVE_INFINITY ? answered : -Number.MAX_VALUE
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
    const score = scoreOf(provider, settings, view)
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

/** A candidate, and where it stands: those that may take the request first, as far as is known. */
interface Standing {
  readonly provider: ProviderLedger
  readonly admitted: boolean
  readonly safe: boolean
  readonly score: number
}

const compare = (a: Standing, b: Standing): number =>
  Number(b.admitted) - Number(a.admitted) || Number(b.safe) - Number(a.safe) || b.score - a.score

/**
 * Every provider that is not ruled out, in the order in which to ask them, for a store that knows better than this ledger
 * who has room. The first is the one that `best` finds, if it finds any. All are quoted.
 */
export const ranked = (
  providers: ReadonlyArray<ProviderLedger>,
  demand: Demand,
  settings: RouterSettings,
  views: LaneViews,
  nowMs: number
): ReadonlyArray<ProviderLedger> => {
  const view = views[demand.lane]
  const predicts = demand.lane !== "high" && settings.lookAhead > 0
  const standings: Array<Standing> = []
  for (const provider of providers) {
    provider.roll(nowMs)
    if (isRuledOut(provider, demand)) continue
    provider.quote(demand)
    const admitted = admits(provider, demand)
    standings.push({
      provider,
      admitted,
      safe: !predicts || !isAtRisk(provider),
      score: scoreOf(provider, settings, view)
    })
  }
  standings.sort(compare)
  const ties = standings.findIndex((standing) => compare(standings[0]!, standing) !== 0)
  const drawn = Math.floor(demand.draw * (ties < 0 ? standings.length : ties))
  const order = standings.map(({ provider }) => provider)
  return drawn === 0 ? order : [order[drawn]!, ...order.filter((_, index) => index !== drawn)]
}
