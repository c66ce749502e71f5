/**
 * How long a loopback vendor takes to answer: a lognormal time to the first token, a steady time per token, and a tail
 * of answers that are several times slower. A pure function of the model, the length and the draws, so one seed gives
 * one sequence of latencies.
 *
 * @since 0.1.0
 */
import { paceOf } from "./internal/pace.ts"

/**
 * @since 0.1.0
 */
export interface LatencyModel {
  /** The median time to the first token, in ms. */
  readonly firstTokenMs: number
  /** Time for each token of the answer, in ms. */
  readonly perTokenMs: number
  /** Standard deviation of the logarithm of the time to the first token; default 0, none. */
  readonly sigma?: number | undefined
  /** The `share` of answers (0 to 1) that take `factor` times as long; default none. */
  readonly tail?: { readonly share: number; readonly factor: number } | undefined
}

/** Answers at once: for tests. @since 0.1.0 */
export const noLatency: LatencyModel = { firstTokenMs: 0, perTokenMs: 0 }

const tail = { share: 0.02, factor: 4 }

/**
 * What each vendor uses unless told: the order of magnitude of its mid-sized models, not a measurement.
 *
 * @since 0.1.0
 */
export const defaultLatency = {
  openai: { firstTokenMs: 450, perTokenMs: 12, sigma: 0.35, tail },
  anthropic: { firstTokenMs: 700, perTokenMs: 15, sigma: 0.3, tail },
  gemini: { firstTokenMs: 400, perTokenMs: 6, sigma: 0.4, tail },
  groq: { firstTokenMs: 150, perTokenMs: 2, sigma: 0.25, tail }
} satisfies Record<string, LatencyModel>

/**
 * The latency of one answer in ms. `normal` is a standard normal draw, `uniform` one in [0, 1).
 *
 * @since 0.1.0
 */
export const latencyMs = (
  model: LatencyModel,
  options: { readonly outputTokens: number; readonly normal: number; readonly uniform: number }
): number => {
  const { firstTokenMs, perTokenMs } = paceOf(model, options)
  return firstTokenMs + perTokenMs * options.outputTokens
}
