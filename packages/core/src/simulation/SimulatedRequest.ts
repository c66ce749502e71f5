/**
 * Requests whose size is known: text that says how many tokens it stands for, and an estimator that errs by a known
 * amount, as real ones do.
 *
 * @since 0.1.0
 */
import { Effect, Layer, Utils } from "effect"
import type { ChatRequest } from "../ChatRequest.ts"
import { heuristicTokens } from "../internal/heuristicTokens.ts"
import { requestTokens } from "../internal/requestTokens.ts"
import { TokenEstimator } from "../TokenEstimator.ts"
import { normal } from "./internal/draws.ts"
import type { WorkloadRequest } from "./Workload.ts"

/**
 * A request that a simulated vendor takes for this one: its text stands for as many tokens of input, and is answered
 * with as many of output, `maxTokens` permitting.
 *
 * @since 0.1.0
 */
export const toRequest = ({ inputTokens, outputTokens }: Omit<WorkloadRequest, "atMs">): ChatRequest => ({
  messages: [{ role: "user", content: `${inputTokens} tokens, to be answered with ${outputTokens}` }]
})

const stated = /^(\d+) tokens, to be answered with (\d+)$/

/** What a request that states nothing is answered with. */
const usualOutput = 200

/**
 * The tokens a simulated vendor takes this request for. One that was not made by `toRequest` has as many as the
 * heuristic estimator says, and an answer of 200.
 *
 * @since 0.1.0
 */
export const sizeOf = (request: ChatRequest): { readonly inputTokens: number; readonly outputTokens: number } => {
  const content = request.messages.length === 1 ? request.messages[0]?.content : undefined
  const sizes = typeof content === "string" ? stated.exec(content) : null
  const inputTokens = sizes === null ? requestTokens(request, heuristicTokens) : Number(sizes[1])
  const output = sizes === null ? usualOutput : Number(sizes[2])
  return { inputTokens, outputTokens: Math.min(output, request.maxTokens ?? output) }
}

/**
 * How far estimates are off: each is the true count times `factor`, times a lognormal draw of deviation `sigma`.
 *
 * @since 0.1.0
 */
export interface EstimateError {
  /** Default 1. */
  readonly factor?: number
  /** Standard deviation of the estimate's logarithm: 0.1 is off by a tenth, mostly; default 0. */
  readonly sigma?: number
  /** Default 1; the n-th estimate of one seed is off by the same factor in every run. */
  readonly seed?: number
}

/**
 * A `TokenEstimator` that knows the true count, and errs on purpose.
 *
 * @since 0.1.0
 */
export const layerEstimator = ({ factor = 1, seed = 1, sigma = 0 }: EstimateError = {}): Layer.Layer<never> =>
  Layer.sync(TokenEstimator, () => {
    const random = new Utils.PCGRandom(seed)
    return {
      estimate: (request) =>
        Effect.sync(() =>
          Math.max(1, Math.round(sizeOf(request).inputTokens * factor * Math.exp(sigma * normal(random))))
        )
    }
  })
