/**
 * The strategies that are compared: what people use, the router in its variants, and what no choice of provider can do
 * better than.
 *
 * @since 0.1.0
 */
import { baseline } from "./internal/baselines.ts"
import {
  leastUsedInMinute,
  lowestLatency,
  ordered,
  roundRobin,
  scoredAfterSuccess,
  weightedRandom
} from "./internal/choosers.ts"
import { pooled } from "./internal/pooled.ts"
import { routeLlm } from "./Strategy.ts"

/**
 * - `chain`: an ordered fallback chain: each provider in order, the next one on any error;
 * - `chainRetried`: the same, again and again, with the pause that the vendors ask for, as long as a request may wait;
 * - `roundRobin`, `weightedRandom` (by requests a minute): as they say, the next one on any error;
 * - `leastUsed`: fewest tokens in the minute of the clock (as LiteLLM's usage-based routing);
 * - `lowestLatency`: by a moving average;
 * - `scoredAfterSuccess`: the router's formula over rolling windows, usage recorded once an answer has come;
 * - `formulaAtOnce`, `formula`, `fit`, `fitLifo`: the router, by policy; without waiting, and with;
 * - `bound`: one imaginary provider with all limits added up, its requests' true sizes known, as a yardstick.
 *
 * @since 0.1.0
 */
export const strategies = {
  chain: baseline("ordered fallback chain", ordered),
  chainRetried: baseline("fallback chain, retried after its pause", ordered, "many"),
  roundRobin: baseline("round robin", roundRobin),
  weightedRandom: baseline("weighted random", weightedRandom),
  leastUsed: baseline("least used in the clock minute", leastUsedInMinute),
  lowestLatency: baseline("lowest latency", lowestLatency),
  scoredAfterSuccess: baseline(
    "scored, usage recorded after success",
    scoredAfterSuccess
  ),
  formulaAtOnce: routeLlm("route-llm, formula, no waiting", { waiting: { onSaturated: "fail" } }),
  formula: routeLlm("route-llm, formula"),
  fit: routeLlm("route-llm, fit", { policy: "fit" }),
  fitLifo: routeLlm("route-llm, fit, lifo", { policy: "fit", waiting: { order: "lifo" } }),
  bound: pooled("all limits in one provider (bound)")
} as const
