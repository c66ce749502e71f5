/**
 * Which candidate is best: a pure function of a provider as it stands now. `formula` is the default, `fit` stands beside
 * it, and `RouterOptions.policy` takes your own:
 *
 * ```ts no-run
 * import { RouterOptions } from "@route-llm/core"
 *
 * const Fastest = RouterOptions.layer({ policy: (candidate) => -candidate.latencyMs })
 * ```
 *
 * A policy orders candidates only. Whether a provider may take the request at all (limits, breaker, bench) is decided
 * apart from it, and providers that would run dry within the look-ahead come after the others whatever their score.
 *
 * @since 0.1.0
 */
import type { Priority } from "./ChatRequest.ts"
import type { ScoreWeights } from "./RouterOptions.ts"

/**
 * A provider as it stands for this request. It may be full: a policy is asked before admission is.
 *
 * It is live, and changes with every step of the ledger: read it while the policy runs, and keep nothing but its figures.
 *
 * @since 0.1.0
 */
export interface Candidate {
  readonly name: string
  /** The provider's static weight. */
  readonly weight: number
  /** Moving average in ms: of whole calls, or of the time to the first token for a request that is streamed. */
  readonly latencyMs: number
  /** Calls under way. */
  readonly inFlight: number
  /**
   * The free share of the scarcest limit, with this request's tokens taken off; 1 where no limit is known. At most 1,
   * and negative where the request does not fit.
   * `min(1 − requestsUsed/requestLimit, 1 − (tokensUsed + this request's)/tokenLimit, …)`.
   */
  readonly headroom: number
  /**
   * The largest share of what is left of any limit that this request would take: 0 where no limit is known, above 1
   * where it does not fit, `Infinity` where nothing is left.
   */
  readonly share: number
}

/**
 * The lane of the request and how the options weigh it.
 *
 * @since 0.1.0
 */
export interface LaneView {
  readonly lane: Priority
  readonly weights: ScoreWeights
  /** The latency at which the score's term reaches 0, in ms. */
  readonly latencyCeilingMs: number
}

/**
 * Higher is better; equal scores are drawn. Called for each candidate of each attempt inside the ledger's one atomic
 * step, so it must be quick. What throws or is no number counts as the lowest score.
 *
 * @since 0.1.0
 */
export type Policy = (candidate: Candidate, lane: LaneView) => number

/**
 * The score, higher is better:
 *
 *     score    = capacity·w_capacity + latency·w_latency + static·w_static
 *     capacity = min(1 − rpmUsed/rpmLimit, 1 − (tpmUsed + estimatedTokens)/tpmLimit), and likewise for other limits
 *     latency  = max(0, 1 − latencyEmaMs/3000),  static = the provider's weight
 *
 * A limit that is not known has headroom 1.
 *
 * @since 0.1.0
 */
export const formula: Policy = ({ headroom, latencyMs, weight }, { latencyCeilingMs, weights }) =>
  headroom * weights.capacity
  + Math.max(0, 1 - latencyMs / latencyCeilingMs) * weights.latency
  + weight * weights.static

/** Small enough that it only decides between equal shares. */
const tieBreak = 1e-6

/**
 * The candidate of whose *remaining* requests and tokens this request takes the smallest share, in its worst
 * dimension: large requests go where tokens are plenty, small ones where requests are. Equal shares are decided by
 * `formula`. It serves more than `formula` where limits are tight, and looks at latency and weight only between equals.
 *
 * @since 0.1.0
 */
export const fit: Policy = (candidate, lane) => formula(candidate, lane) * tieBreak - candidate.share
