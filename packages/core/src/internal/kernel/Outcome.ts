/**
 * How a call ended, as plain figures: all that can be told of it without looking at the ledger. `Settling.ts` applies
 * them in memory, a shared store where its data lies.
 */
import type { Usage } from "../../ChatResponse.ts"
import type { FailureClass } from "../../FailureClass.ts"
import type { ProviderSpec } from "../../Provider.ts"
import type { Dimension, LimitReading } from "../../RateLimit.ts"
import type { RouterSettings } from "../../RouterOptions.ts"
import type { Reservation, Settlement } from "../../RouterState.ts"
import type { BreakerResult } from "./Breaker.ts"
import { readable, withinADay } from "./Reading.ts"

/** Failures of the request, not of the provider: what time one names is nobody else's. */
const aboutRequest: ReadonlySet<FailureClass> = new Set<FailureClass>([
  "context_too_long",
  "request_too_large",
  "content_policy",
  "caller_fault",
  "cancelled"
])

/** More tokens than any answer has. */
const mostTokens = 2 ** 31

export interface Outcome {
  /** What it counts in the windows; where the vendor refused, requests only of a limit that is known. */
  readonly requests: number
  readonly dayRequests: number
  readonly input: number
  readonly output: number
  /** The vendor refused for its rate. */
  readonly refused: boolean
  readonly readings: ReadonlyArray<LimitReading>
  /** Samples of the two averages. */
  readonly firstTokenMs: number | undefined
  readonly latencyMs: number | undefined
  /** Tokens as the vendor reported them, to learn from. */
  readonly learns: { readonly inputTokens: number; readonly outputTokens: number } | undefined
  readonly result: BreakerResult
  /** How the call failed; absent where it was cancelled. */
  readonly failed: FailureClass | undefined
  /** After so long the call was cut off, by this router's own clock. */
  readonly lateMs: number | undefined
  readonly bench: { readonly forMs: number; readonly because: FailureClass; readonly guessed: boolean } | undefined
  /** It was called although it was set aside, and is well. */
  readonly endsBench: boolean
  /** The session whose request was answered. */
  readonly answered: string | undefined
}

type Ended = Exclude<Settlement, { readonly _tag: "Unused" }>

/** What a vendor reported, if it is a count at all; the ring's sums are exact for whole numbers only. */
const counted = (tokens: number, reserved: number): number =>
  Number.isFinite(tokens) && tokens >= 0 ? Math.min(Math.ceil(tokens), mostTokens) : reserved

/** Input that counts: the parts read from and written to a cache by the share that the vendor counts of them. */
const countedInput = ({ counting }: Pick<ProviderSpec, "counting">, usage: Usage, reserved: number): number => {
  const free = (usage.cachedInputTokens ?? 0) * (1 - counting.cacheRead)
    + (usage.cacheWriteTokens ?? 0) * (1 - counting.cacheWrite)
  const input = counted(usage.inputTokens, reserved)
  return free > 0 ? Math.max(0, Math.ceil(input - free)) : input
}

/** The breaker's result; whether the provider is set aside, and until when. */
const consequences = (settlement: Ended, reservation: Reservation, settings: RouterSettings) => {
  if (settlement._tag === "Success") {
    return { result: "success" as const, bench: undefined, endsBench: reservation.lastResort === true }
  }
  const consequence = settings.failures[settlement.class]
  const { retryAfterMs = 0 } = settlement
  // "Retry-After: 0" names no time.
  const asked = retryAfterMs > 0 && Number.isFinite(retryAfterMs) && !aboutRequest.has(settlement.class)
  const forMs = asked ? retryAfterMs : consequence.bench
  return {
    result: consequence.breaker ? "failure" as const : "ignored" as const,
    bench: forMs <= 0 ? undefined : { forMs, because: settlement.class, guessed: !asked },
    endsBench: false
  }
}

export const outcomeOf = (
  spec: Pick<ProviderSpec, "counting">,
  reservation: Reservation,
  ended: Ended,
  settings: RouterSettings
): Outcome => {
  const settlement = withinADay(ended)
  const isFailure = settlement._tag === "Failure"
  const readings = readable(settlement.limits ?? [])
  const refused = isFailure && settlement.class === "rate_limit"
  // Where the vendor says how many requests it has counted, it also says whether it counts those that it refused.
  const told = (dimension: Dimension) =>
    refused && readings.some((reading) => reading.dimension === dimension && reading.remaining !== undefined)
  const refunded = isFailure && settings.failures[settlement.class].tokens === "refunded"
  const nothing = { inputTokens: 0, outputTokens: 0 }
  const used: Usage = settlement.usage ?? (refunded ? nothing : reservation)
  const output = counted(used.outputTokens, reservation.outputTokens)
  // A stall in the middle of an answer is nobody's haste, nor is a timeout that the vendor itself has told.
  const isLate = isFailure && settlement.class === "timeout" && settlement.firstTokenMs === undefined &&
    settlement.status === undefined
  const { usage } = settlement
  return {
    requests: told("requests") ? 0 : 1,
    dayRequests: told("requestsPerDay") ? 0 : 1,
    input: countedInput(spec, used, reservation.inputTokens),
    output: reservation.outputCharged && !refunded ? Math.max(output, reservation.outputTokens) : output,
    refused,
    readings,
    firstTokenMs: settlement.firstTokenMs,
    latencyMs: isFailure ? undefined : settlement.latencyMs,
    learns: isFailure || usage === undefined ? undefined : {
      inputTokens: counted(usage.inputTokens, reservation.inputTokens),
      outputTokens: counted(usage.outputTokens, reservation.outputTokens)
    },
    failed: isFailure && settlement.class !== "cancelled" ? settlement.class : undefined,
    lateMs: isLate ? settlement.latencyMs : undefined,
    answered: isFailure ? undefined : reservation.sessionId,
    ...consequences(settlement, reservation, settings)
  }
}
