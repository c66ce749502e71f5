/**
 * A decision as a table. It asks every provider every question, where `best` stops at the first answer that decides, so
 * it stays off the way of requests that did not ask for it.
 */
import type { ExplainedCandidate, Explanation } from "../../Explanation.ts"
import { fit, formula, type LaneView } from "../../Policy.ts"
import type { RouterSettings } from "../../RouterOptions.ts"
import type { Demand } from "../../RouterState.ts"
import { refusal } from "./Admission.ts"
import type { ProviderLedger } from "./ProviderLedger.ts"
import { isAtRisk } from "./Risk.ts"

/** JSON has no infinity: what has no end is absent. */
const finite = (value: number | undefined): number | undefined =>
  value !== undefined && Number.isFinite(value) ? value : undefined

const policyName = ({ policy }: RouterSettings): Explanation["policy"] =>
  policy === formula ? "formula" : policy === fit ? "fit" : "custom"

/** The request in question is quoted anew. */
const candidate = (
  provider: ProviderLedger,
  demand: Demand,
  settings: RouterSettings,
  view: LaneView
): ExplainedCandidate => {
  const refused = refusal(provider, demand)
  const { headroom, latencyMs, name, needsInput, needsOutput, spec, weight } = provider
  const { latencyCeilingMs, weights } = view
  return {
    provider: name,
    model: spec.model,
    score: finite(settings.policy(provider, view)),
    terms: {
      capacity: headroom * weights.capacity,
      latency: Math.max(0, 1 - latencyMs / latencyCeilingMs) * weights.latency,
      static: weight * weights.static
    },
    atRisk: settings.lookAhead > 0 && isAtRisk(provider),
    needs: { inputTokens: needsInput, outputTokens: needsOutput },
    refusal: refused && {
      reason: refused.reason,
      retryAfterMs: finite(refused.retryAfterMs),
      dimension: refused.dimension,
      needed: refused.needed,
      limit: refused.limit
    }
  }
}

/** The table of a decision that is `chosen`. The providers have been rolled to now. */
export const explanation = (
  providers: ReadonlyArray<ProviderLedger>,
  demand: Demand,
  { chosen, lastResortInMs, reason, settings, view }: {
    readonly settings: RouterSettings
    readonly view: LaneView
    readonly chosen: string | undefined
    readonly reason: Explanation["reason"]
    readonly lastResortInMs: number
  }
): Explanation => {
  const candidates = providers.map((provider) => candidate(provider, demand, settings, view))
  const waits = candidates.map(({ refusal }) => refusal?.retryAfterMs ?? Number.POSITIVE_INFINITY)
  return {
    inputTokens: demand.inputTokens,
    lane: demand.lane,
    policy: policyName(settings),
    chosen,
    reason,
    candidates,
    waitMs: chosen === undefined ? finite(Math.max(0, Math.min(lastResortInMs, ...waits))) : undefined
  }
}
