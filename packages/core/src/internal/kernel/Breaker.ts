/**
 * A provider's circuit breaker, as values and the table of its legal moves:
 *
 * | from | on | to |
 * |---|---|---|
 * | closed | the Nth consecutive failure | open, for the cooldown |
 * | open | a grant after the cooldown | half-open, with that call as its one probe |
 * | half-open | the probe succeeds | closed |
 * | half-open | the probe fails | open, for twice the cooldown up to the maximum |
 * | half-open | the probe says nothing (cancelled, a caller's fault) | half-open, free for another probe |
 *
 * Each move between states starts a new epoch. A reservation carries the epoch it was granted in, and a result of
 * another epoch never moves the breaker: calls that were under way when it opened cannot open it again.
 */
import type { RouterSettings } from "../../RouterOptions.ts"

export type Breaker =
  | { readonly _tag: "closed"; readonly epoch: number; readonly failures: number }
  | { readonly _tag: "open"; readonly epoch: number; readonly untilMs: number; readonly cooldownMs: number }
  | { readonly _tag: "half_open"; readonly epoch: number; readonly probing: boolean; readonly cooldownMs: number }

/** `ignored`: the call says nothing of the provider's health. */
export type BreakerResult = "success" | "failure" | "ignored"

export const initialBreaker: Breaker = { _tag: "closed", epoch: 0, failures: 0 }

/** Why the breaker lets no call through now, if it does not. */
export const breakerRefusal = (breaker: Breaker, nowMs: number): "circuit_open" | "probing" | undefined => {
  if (breaker._tag === "closed") return undefined
  if (breaker._tag === "open") return nowMs < breaker.untilMs ? "circuit_open" : undefined
  return breaker.probing ? "probing" : undefined
}

/** The breaker once a call that it lets through is granted. */
export const onGrant = (breaker: Breaker): Breaker =>
  breaker._tag === "closed"
    ? breaker
    : {
      _tag: "half_open",
      epoch: breaker._tag === "open" ? breaker.epoch + 1 : breaker.epoch,
      probing: true,
      cooldownMs: breaker.cooldownMs
    }

const opened = (epoch: number, cooldownMs: number, nowMs: number): Breaker => ({
  _tag: "open",
  epoch: epoch + 1,
  untilMs: nowMs + cooldownMs,
  cooldownMs
})

/** Twice as long up to the maximum; a cooldown that was configured beyond it stays as it is. */
const grown = (cooldownMs: number, maxMs: number): number => Math.max(cooldownMs, Math.min(cooldownMs * 2, maxMs))

/** The breaker after the result of a call that was granted in `epoch`. */
export const onResult = (
  breaker: Breaker,
  options: RouterSettings["breaker"],
  epoch: number,
  result: BreakerResult,
  nowMs: number
): Breaker => {
  if (epoch !== breaker.epoch || breaker._tag === "open") return breaker
  if (breaker._tag === "half_open") {
    if (result === "ignored") return { ...breaker, probing: false }
    return result === "success"
      ? { _tag: "closed", epoch: breaker.epoch + 1, failures: 0 }
      : opened(breaker.epoch, grown(breaker.cooldownMs, options.maxCooldown), nowMs)
  }
  if (result === "ignored" || (result === "success" && breaker.failures === 0)) return breaker
  const failures = result === "success" ? 0 : breaker.failures + 1
  return failures >= options.failureThreshold
    ? opened(breaker.epoch, options.cooldown, nowMs)
    : { _tag: "closed", epoch: breaker.epoch, failures }
}
