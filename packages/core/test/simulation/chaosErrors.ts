/**
 * What a request that was not served is told, held against the script and what the vendors saw: the right error, each
 * attempt that was made and no other, and of each provider that was not called why.
 */
import { type AllProvidersFailed, type Refusal, type RouterError, RouterOptions } from "@route-llm/core"
import { Cause, Effect, Exit, Option } from "effect"
import type { Call, Played } from "./chaosPlay.ts"
import type { VendorRecord } from "./chaosRecord.ts"
import { candidates } from "./chaosServable.ts"

const settings = Effect.runSync(RouterOptions.make({}))

/** Timers end at a whole millisecond after their moment. */
const tickMs = 1

/** Beyond this share of a limit a request may be told that there is no room: estimates err on the safe side. */
const nearlyFull = 0.75

/** Where a vendor names a time it is no more than this, and neither is a cooldown or a guessed bench but that of a quota. */
const longestOutMs = 300_000

const problemsIn = (checks: Readonly<Record<string, boolean>>): ReadonlyArray<string> =>
  Object.entries(checks).flatMap(([claim, holds]) => holds ? [] : [claim])

/** A call that was cut off is a timeout for the route. */
const classOf = ({ result }: Call) => result === "cut" ? "timeout" : result

const attemptsAgree = ({ calls }: Played, attempts: AllProvidersFailed["attempts"]): boolean =>
  attempts.length === calls.length && attempts.every(({ class: failure, latencyMs, model, provider }, index) => {
    const call = calls[index]!
    return provider === call.vendor
      && model === `${provider}-model`
      && failure === classOf(call)
      && Math.abs(latencyMs - (call.endedMs - call.sentMs)) < tickMs
  })

/** Whether the vendor's past is a reason for keeping calls away from it at this moment. */
const wasOut = (vendor: VendorRecord, atMs: number): boolean => {
  const lately = vendor.griefIn(atMs - longestOutMs - settings.breaker.ramp, atMs)
  return lately.length > 0 || vendor.griefIn(0, atMs).includes("quota")
}

const refusalHolds = (refusal: Refusal, { endedMs, of }: Played, vendors: ReadonlyArray<VendorRecord>): boolean => {
  const vendor = vendors.find(({ name }) => name === refusal.provider)
  if (vendor === undefined || refusal.retryAfterMs < 0) return false
  const { needed = 0, limit = 0 } = refusal
  switch (refusal.reason) {
    case "full":
      return needed <= limit && vendor.fullest(of, endedMs - 1, endedMs + 1) > nearlyFull
    case "too_large":
      return needed > limit && refusal.retryAfterMs === Number.POSITIVE_INFINITY
        && vendor.fullest(of, endedMs, endedMs) > 1
    case "benched":
    case "circuit_open":
      return Number.isFinite(refusal.retryAfterMs) && refusal.retryAfterMs > 0 && wasOut(vendor, endedMs)
    case "probing":
    case "ramping":
      return vendor.calls.some(({ endedMs: until, sentMs }) => sentMs <= endedMs && endedMs <= until)
        && wasOut(vendor, endedMs)
    case "kept":
      return vendor.fullest(of, endedMs - 1, endedMs + 1) > nearlyFull
    case "tried":
    case "not_forced":
      return false
  }
}

/** Every candidate is accounted for, by an attempt or by a refusal. */
const allNamed = ({ of }: Played, vendors: ReadonlyArray<VendorRecord>, named: ReadonlyArray<string>): boolean =>
  candidates(of, vendors).every(({ name }) => named.includes(name))

const earliest = (refusals: ReadonlyArray<{ readonly retryAfterMs?: number | undefined }>): number =>
  Math.min(...refusals.map(({ retryAfterMs = Number.POSITIVE_INFINITY }) => retryAfterMs))

const isMomentary = (failure: keyof typeof settings.failures): boolean => settings.failures[failure].request === "retry"

/**
 * One that may wait gives up no sooner than it has waited for half of the time that it had, unless the soonest time that
 * is named comes too late for an answer.
 */
const hasWaited = ({ arrivedMs, calls, endedMs, of }: Played, refusals: ReadonlyArray<Refusal>): boolean => {
  const deadlineMs = arrivedMs + of.timeoutMs
  const leftMs = deadlineMs - endedMs
  const hadMs = deadlineMs - (calls.at(-1)?.endedMs ?? arrivedMs)
  return of.request.onSaturated === "fail" || leftMs <= hadMs / 2 + tickMs || earliest(refusals) > leftMs / 2
}

/**
 * When somebody may take it again: known of those that were refused, and of those whose last call named a time. Whoever
 * failed for the moment without one may be well by now, so that nobody can say.
 */
const backInMs = (
  { calls, endedMs }: Played,
  attempts: AllProvidersFailed["attempts"],
  refusals: ReadonlyArray<Refusal>
): number | undefined => {
  const last = new Map(calls.map(({ vendor }, index) => [vendor, index]))
  for (const { provider } of refusals) last.delete(provider)
  const times = [...last.values()].map((index) => {
    const { class: failure, retryAfterMs } = attempts[index]!
    if (retryAfterMs === undefined) return isMomentary(failure) ? undefined : Number.POSITIVE_INFINITY
    return Math.max(0, calls[index]!.endedMs + retryAfterMs - endedMs)
  })
  if (times.includes(undefined)) return undefined
  const soonest = Math.min(earliest(refusals), ...times.flatMap((ms) => ms ?? []))
  return soonest === Number.POSITIVE_INFINITY ? undefined : soonest
}

const agree = (one: number | undefined, other: number | undefined): boolean =>
  one === other || Math.abs((one ?? Number.NaN) - (other ?? Number.NaN)) < tickMs

const allFailed = (
  played: Played,
  { attempts, endedBy, perProvider, retryAfterMs }: AllProvidersFailed,
  vendors: ReadonlyArray<VendorRecord>
): ReadonlyArray<string> => {
  const { maxAttempts = settings.maxAttempts } = played.of.request
  const leftMs = played.arrivedMs + played.of.timeoutMs - played.endedMs
  // A round that was cut short has not looked at everybody.
  const whole = endedBy !== "maxAttempts" && endedBy !== "retryBudget"
  return problemsIn({
    "there were attempts": attempts.length > 0,
    "the attempts are the calls": attemptsAgree(played, attempts),
    "nobody is missing": !whole ||
      allNamed(played, vendors, [...perProvider, ...attempts].map((each) => each.provider)),
    "it was out of attempts": (endedBy === "maxAttempts") === (attempts.length >= maxAttempts && endedBy !== undefined),
    "the schedule goes on for ever": endedBy !== "schedule",
    // A pause is ten seconds at most, unless a vendor asked for more.
    "it was out of time": endedBy !== "timeout" ||
      leftMs <= Math.max(10_000, ...attempts.map((each) => each.retryAfterMs ?? 0)),
    // Else nobody is left that would come back in time.
    "it went on": endedBy !== undefined
      || (perProvider.length === 0 ? !isMomentary(attempts.at(-1)!.class) : hasWaited(played, perProvider)),
    "it says when": agree(retryAfterMs, backInMs(played, attempts, perProvider))
  })
}

const noCapacity = (
  played: Played,
  { perProvider, retryAfterMs }: { readonly perProvider: ReadonlyArray<Refusal>; readonly retryAfterMs: number },
  vendors: ReadonlyArray<VendorRecord>
): ReadonlyArray<string> =>
  problemsIn({
    "nobody was called": played.calls.length === 0,
    "nobody is missing": allNamed(played, vendors, perProvider.map(({ provider }) => provider)),
    "it says when": retryAfterMs === earliest(perProvider),
    "it waited": hasWaited(played, perProvider)
  })

const problemsOf = (
  error: RouterError,
  played: Played,
  vendors: ReadonlyArray<VendorRecord>
): ReadonlyArray<string> => {
  const { arrivedMs, calls, endedMs, of } = played
  switch (error._tag) {
    case "AllProvidersFailed":
      return allFailed(played, error, vendors)
    case "NoCapacity":
      return noCapacity(played, error, vendors)
    case "DeadlineExceeded":
      return problemsIn({
        "the attempts are the calls": attemptsAgree(played, error.attempts),
        "the time is the request's": error.timeoutMs === of.timeoutMs,
        "the time was up": endedMs > arrivedMs + of.timeoutMs - tickMs
      })
    case "TokenLimitExceeded":
      return problemsIn({
        "nobody was called": calls.length === 0,
        "it fits nobody": candidates(of, vendors).every((vendor) => vendor.fullest(of, endedMs, endedMs) > 1)
          && error.neededTokens > error.largestLimit,
        "nobody is missing": allNamed(played, vendors, error.perProvider.map(({ provider }) => provider))
      })
    default:
      return [`${error._tag} has no reason here`]
  }
}

/** What is wrong with how the request ended. */
export const errorProblems = (played: Played, vendors: ReadonlyArray<VendorRecord>): ReadonlyArray<string> => {
  const { exit } = played
  if (Exit.isSuccess(exit)) return []
  const error = Option.getOrUndefined(Cause.failureOption(exit.cause))
  if (error === undefined) return [Cause.pretty(exit.cause)]
  const refusals = "perProvider" in error ? error.perProvider : []
  return [
    ...problemsOf(error, played, vendors).map((claim) => `${error._tag}: not so: ${claim}`),
    ...refusals.filter((refusal) => !refusalHolds(refusal, played, vendors)).map((refusal) =>
      `${error._tag}: no ground for ${JSON.stringify(refusal)}`
    )
  ]
}
