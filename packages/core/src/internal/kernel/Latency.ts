/**
 * An exponential moving average of latency: `ema ← α·sample + (1 − α)·ema`, starting from a prior. While no sample
 * comes, it drifts back to the prior, so that a provider that was slow once is tried again.
 */
import type { RouterSettings } from "../../RouterOptions.ts"

export interface Latency {
  readonly emaMs: number
  readonly sampledAtMs: number
}

export const initialLatency = (options: RouterSettings["latency"], nowMs: number): Latency => ({
  emaMs: options.prior,
  sampledAtMs: nowMs
})

/** Nothing has been measured yet: a sample moves the average, if by the last of its digits. */
export const isPrior = ({ emaMs }: Latency, { prior }: RouterSettings["latency"]): boolean => emaMs === prior

/**
 * The average as it counts now. Exact within one half-life of the last sample; after that its distance from the prior
 * halves with every further half-life.
 */
export const currentLatency = (latency: Latency, options: RouterSettings["latency"], nowMs: number): number => {
  const idleMs = nowMs - latency.sampledAtMs - options.halfLife
  return idleMs <= 0
    ? latency.emaMs
    : options.prior + (latency.emaMs - options.prior) * 2 ** (-idleMs / options.halfLife)
}

export const sampleLatency = (
  latency: Latency,
  options: RouterSettings["latency"],
  sampleMs: number,
  nowMs: number
): Latency => {
  const before = currentLatency(latency, options, nowMs)
  return { emaMs: before + options.alpha * (sampleMs - before), sampledAtMs: nowMs }
}
