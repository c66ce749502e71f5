/**
 * The score of a candidate, higher is better:
 *
 *   score    = capacity·w_capacity + latency·w_latency + static·w_static
 *   capacity = min(rpmHeadroom, tpmHeadroom)
 *   rpmHeadroom = 1 − rpmUsed/rpmLimit,  tpmHeadroom = 1 − (tpmUsed + estimatedTokens)/tpmLimit
 *   latency  = max(0, 1 − latencyEmaMs/3000),  static = the provider's weight
 *
 * A limit that is not declared is `Infinity`: its headroom is 1.
 */
import type { ScoreWeights } from "../../RouterOptions.ts"

export interface Candidate {
  readonly requestsUsed: number
  readonly requestLimit: number
  readonly tokensUsed: number
  readonly tokenLimit: number
  readonly latencyMs: number
  readonly weight: number
}

export const score = (
  candidate: Candidate,
  estimatedTokens: number,
  weights: ScoreWeights,
  latencyCeilingMs: number
): number => {
  const rpmHeadroom = 1 - candidate.requestsUsed / candidate.requestLimit
  const tpmHeadroom = 1 - (candidate.tokensUsed + estimatedTokens) / candidate.tokenLimit
  return Math.min(rpmHeadroom, tpmHeadroom) * weights.capacity
    + Math.max(0, 1 - candidate.latencyMs / latencyCeilingMs) * weights.latency
    + candidate.weight * weights.static
}
