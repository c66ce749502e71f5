/**
 * What error bodies say of limits: Google's violations, the words of OpenAI and Groq, the headers OpenRouter quotes.
 */
import type { LimitReading } from "@route-llm/core"
import { DateTime } from "effect"
import { boundedMs } from "./duration.ts"
import { at, list, text } from "./json.ts"
import { retryDelayMs } from "./retryAfter.ts"

type Dimension = LimitReading["dimension"]

/** By what is counted and over how long, in the vendors' spelling; what is not here has no dimension. */
const dimensions: Readonly<Record<string, Dimension>> = {
  "requests minute": "requests",
  "requests day": "requestsPerDay",
  "tokens minute": "tokens",
  "tokens day": "tokensPerDay",
  "inputtokens minute": "inputTokens",
  "outputtokens minute": "outputTokens"
}

const dimensionOf = (what = "", window = ""): Dimension | undefined => {
  const span = window.toLowerCase().startsWith("min") ? "minute" : "day"
  return dimensions[`${what.toLowerCase().replace(" ", "")} ${span}`]
}

/** Such as `GenerateContentInputTokensPerModelPerMinute-FreeTier`: what is counted, per what, and the window. */
const quotaId = /((?:Input|Output)?Tokens|Requests)Per(?:\w*?Per)?(Minute|Day)(?=Per|\W|$)/

/** Google's are half as long; what is longer is none, and would cost the pattern time. */
const longestId = 200

/** "Requests per day (RPD) quotas reset at midnight Pacific time" (ai.google.dev/gemini-api/docs/rate-limits). */
const untilMidnightMs = (nowMs: number): number => {
  const now = DateTime.unsafeMakeZoned(nowMs, { timeZone: "America/Los_Angeles" })
  return DateTime.toEpochMillis(DateTime.startOf(DateTime.add(now, { days: 1 }), "day")) - nowMs
}

/**
 * `google.rpc.QuotaFailure`: each violation is a limit that is used up. The retry delay beside a spent day is one of
 * seconds all the same, so it says nothing of the day.
 */
export const violationReadings = (bodies: ReadonlyArray<unknown>, nowMs: number): ReadonlyArray<LimitReading> => {
  const delayMs = retryDelayMs(bodies)
  const violations = bodies.flatMap((body) => list(at(body, "details"))).flatMap((detail) =>
    list(at(detail, "violations"))
  )
  return violations.flatMap((violation) => {
    const [, what, window] = quotaId.exec(text(at(violation, "quotaId"))?.slice(0, longestId) ?? "") ?? []
    const dimension = dimensionOf(what, window)
    const value = text(at(violation, "quotaValue"))
    const limit = value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : undefined
    // A value of 0 is a model that this plan has not at all: no limit to go by.
    if (dimension === undefined || limit === 0) return []
    const resetMs = window === "Day" ? untilMidnightMs(nowMs) : delayMs
    return [{
      dimension,
      ...(limit === undefined ? {} : { limit }),
      remaining: 0,
      ...(resetMs === undefined ? {} : { resetMs: boundedMs(resetMs) })
    }]
  })
}

const amount = String.raw`(\d{1,15}(?:\.\d+)?)(?![\d,.]\d|\w)`

/**
 * "on requests per min (RPM): Limit 500, Used 500, Requested 1", "on tokens per day (TPD): Limit 100000, Used …", and
 * OpenAI's older "on requests per min. Limit: 3 / min. Current: 3 / min".
 */
const limitInWords = new RegExp(
  String.raw`\bon ((?:input |output )?tokens|requests) per (min(?:ute)?|day)\b(?: \(\w{1,5}\))?[.:,]? {0,2}`
    + String.raw`Limit:? ${amount}(?: \/ \w{1,6})?(?:[.,;]? {0,2}(?:Used|Current):? ${amount})?`,
  "i"
)

/** When nothing counts any more is not said: "try again in" is when this one request fits. */
export const wordReadings = (words: string): ReadonlyArray<LimitReading> => {
  const [, what, window, limit, used] = limitInWords.exec(words) ?? []
  const dimension = dimensionOf(what, window)
  if (dimension === undefined || !(Number(limit) >= 1)) return []
  return [{
    dimension,
    limit: Math.floor(Number(limit)),
    ...(used === undefined ? {} : { remaining: Math.floor(Math.max(0, Number(limit) - Number(used))) })
  }]
}

/** OpenRouter's limiter stands before its answers' headers are made: it writes them into the body. */
export const quotedHeaders = (bodies: ReadonlyArray<unknown>): unknown =>
  bodies.map((body) => at(body, "metadata", "headers")).find((headers) => headers !== undefined)
