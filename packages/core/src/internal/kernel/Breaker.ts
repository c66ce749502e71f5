/**
 * A provider's circuit breaker, as values and the table of its legal moves:
 *
 * | from | on | to |
 * |---|---|---|
 * | closed | the Nth consecutive failure, or too large a share of failures among enough calls | open, for the cooldown |
 * | open | a grant after the cooldown, or as a last resort before its end | half-open, that call being its one probe |
 * | half-open | the probe succeeds | closed, with a ramp |
 * | half-open | the probe fails | open, for twice the cooldown up to the maximum |
 * | half-open | a probe of last resort fails | open, as long as it would have been without it |
 * | half-open | the probe says nothing (cancelled, a caller's fault) | half-open, free for another probe |
 * | half-open | a probe of last resort says nothing | open, as long as it would have been without it |
 * | half-open | the probe has taken longer than a cooldown | half-open, free for another probe |
 * | any | `forceOpen` | open, for as long as told |
 * | any | `forceClose` | closed, without a ramp |
 *
 * Each move starts a new epoch. A reservation carries the epoch it was granted in, and a result of another epoch never
 * moves the breaker: calls that were under way when it opened cannot open it again.
 *
 * A circuit that has just closed is on its ramp: one call at a time, and one more for each that succeeds, so that the
 * load at most doubles with each round of answers (TCP's slow start). A failure halves it. A circuit that opens on its
 * ramp has not recovered, so its cooldown goes on growing.
 *
 * The share of failures is of calls that fade by half every `halfLife`: two numbers in place of a window, and an old
 * failure weighs less than a new one.
 */
import type { RouterSettings } from "../../RouterOptions.ts"

type Options = RouterSettings["breaker"]

interface Ramp {
  readonly untilMs: number
  /** Calls that may be under way at one time. */
  readonly most: number
  readonly inFlight: number
  /** Of the opening before. */
  readonly cooldownMs: number
}

interface Closed {
  readonly _tag: "closed"
  readonly epoch: number
  /** In a row. */
  readonly failures: number
  /** Calls and those that failed, faded to `atMs`. */
  readonly calls: number
  readonly failed: number
  readonly atMs: number
  readonly ramp: Ramp | undefined
}

interface Open {
  readonly _tag: "open"
  readonly epoch: number
  readonly untilMs: number
  readonly cooldownMs: number
  /** Somebody has opened it by hand: no last resort. */
  readonly forced: boolean
}

interface HalfOpen {
  readonly _tag: "half_open"
  readonly epoch: number
  /** As long as its probe keeps others away: one that hangs, or answers for minutes, is no reason to. */
  readonly probeUntilMs: number
  readonly cooldownMs: number
  /** When the circuit would have let a probe through; a probe before it was a last resort. */
  readonly untilMs: number
}

export type Breaker = Closed | Open | HalfOpen

/** `ignored`: the call says nothing of the provider's health. */
export type BreakerResult = "success" | "failure" | "ignored"

const closed = (epoch: number, nowMs: number, ramp?: Ramp): Closed => ({
  _tag: "closed",
  epoch,
  failures: 0,
  calls: 0,
  failed: 0,
  atMs: nowMs,
  ramp
})

export const initialBreaker: Breaker = closed(0, 0)

/** Why the breaker lets no call through now, if it does not. */
export const breakerRefusal = (
  breaker: Breaker,
  nowMs: number
): "circuit_open" | "probing" | "ramping" | undefined => {
  if (breaker._tag === "open") return nowMs < breaker.untilMs ? "circuit_open" : undefined
  if (breaker._tag === "half_open") return nowMs < breaker.probeUntilMs ? "probing" : undefined
  const { ramp } = breaker
  return ramp !== undefined && nowMs < ramp.untilMs && ramp.inFlight >= ramp.most ? "ramping" : undefined
}

/** The breaker once a call is granted: one that it lets through, or one of last resort. */
export const onGrant = (breaker: Breaker, options: Options, nowMs: number): Breaker => {
  if (breaker._tag === "closed") {
    const { ramp } = breaker
    return ramp === undefined ? breaker : { ...breaker, ramp: { ...ramp, inFlight: ramp.inFlight + 1 } }
  }
  const { cooldownMs, untilMs } = breaker
  const epoch = breaker._tag === "open" ? breaker.epoch + 1 : breaker.epoch
  return { _tag: "half_open", epoch, probeUntilMs: nowMs + options.cooldown, cooldownMs, untilMs }
}

const opened = (epoch: number, cooldownMs: number, untilMs: number): Open => ({
  _tag: "open",
  epoch: epoch + 1,
  untilMs,
  cooldownMs,
  forced: false
})

/** Twice as long up to the maximum; a cooldown that was configured beyond it stays as it is. */
const grown = (cooldownMs: number, maxMs: number): number => Math.max(cooldownMs, Math.min(cooldownMs * 2, maxMs))

const onProbe = (breaker: HalfOpen, options: Options, result: BreakerResult, nowMs: number): Breaker => {
  const { cooldownMs, epoch, untilMs } = breaker
  if (result === "success") {
    const ramp = { untilMs: nowMs + options.ramp, most: 1, inFlight: 0, cooldownMs }
    return closed(epoch + 1, nowMs, options.ramp > 0 ? ramp : undefined)
  }
  if (nowMs < untilMs) return opened(epoch, cooldownMs, untilMs)
  if (result === "ignored") return { ...breaker, probeUntilMs: nowMs }
  const nextMs = grown(cooldownMs, options.maxCooldown)
  return opened(epoch, nextMs, nowMs + nextMs)
}

const onRamp = (ramp: Ramp | undefined, result: BreakerResult, nowMs: number): Ramp | undefined => {
  if (ramp === undefined || nowMs >= ramp.untilMs) return undefined
  const inFlight = ramp.inFlight - 1
  if (result === "ignored") return { ...ramp, inFlight }
  const most = result === "success" ? ramp.most + 1 : Math.max(1, Math.floor(ramp.most / 2))
  return { ...ramp, inFlight, most }
}

/** Enough of them have failed lately. */
const isTooLarge = ({ calls, failed }: Closed, { errorRatio, minimumCalls }: Options): boolean =>
  calls >= minimumCalls && failed >= calls * errorRatio

/** The breaker after the result of a call that was granted in `epoch`. */
export const onResult = (
  breaker: Breaker,
  options: Options,
  epoch: number,
  result: BreakerResult,
  nowMs: number
): Breaker => {
  if (epoch !== breaker.epoch || breaker._tag === "open") return breaker
  if (breaker._tag === "half_open") return onProbe(breaker, options, result, nowMs)
  const ramp = onRamp(breaker.ramp, result, nowMs)
  if (result === "ignored") return ramp === breaker.ramp ? breaker : { ...breaker, ramp }
  const fades = 2 ** ((breaker.atMs - nowMs) / options.halfLife)
  const failure = result === "failure" ? 1 : 0
  const after: Closed = {
    _tag: "closed",
    epoch,
    failures: failure === 0 ? 0 : breaker.failures + 1,
    calls: breaker.calls * fades + 1,
    failed: breaker.failed * fades + failure,
    atMs: nowMs,
    ramp
  }
  if (failure === 0 || (after.failures < options.failureThreshold && !isTooLarge(after, options))) return after
  const cooldownMs = ramp === undefined ? options.cooldown : grown(ramp.cooldownMs, options.maxCooldown)
  return opened(epoch, cooldownMs, nowMs + cooldownMs)
}

/** Opened by hand, for so long. */
export const forcedOpen = (breaker: Breaker, options: Options, untilMs: number): Breaker => ({
  ...opened(breaker.epoch, options.cooldown, untilMs),
  forced: true
})

/** Closed by hand. */
export const forcedClosed = (breaker: Breaker, nowMs: number): Breaker => closed(breaker.epoch + 1, nowMs)
