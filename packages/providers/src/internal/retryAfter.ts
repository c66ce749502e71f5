import { boundedMs, durationMs, numberOf } from "./duration.ts"
import { headerOf } from "./headers.ts"
import { at, list, text } from "./json.ts"

/** RFC 9110 10.2.3: seconds (fractions are seen too), or an HTTP date. */
const secondsOrDate = (value: string | undefined, nowMs: number): number | undefined => {
  if (value === undefined) return undefined
  const seconds = numberOf(value)
  if (seconds !== undefined) return seconds * 1_000
  // Date.parse takes "-1" and "5x" for years and months: a date has a colon.
  const date = value.includes(":") ? Date.parse(value) : NaN
  return Number.isNaN(date) ? undefined : date - nowMs
}

/** `google.rpc.RetryInfo.retryDelay` of a Google error body. */
export const retryDelayMs = (bodies: ReadonlyArray<unknown>): number | undefined => {
  const delay = bodies.flatMap((body) => list(at(body, "details"))).map((detail) => text(at(detail, "retryDelay")))
    .find((value) => value !== undefined)
  return delay === undefined ? undefined : durationMs(delay)
}

/** OpenAI and Groq end a rate limit's message with "Please try again in 7.66s". */
const inWords = (message: string): number | undefined => {
  const [, delay] = /try again in ((?:\d+(?:\.\d+)?(?:ms|h|m|s))+)/i.exec(message) ?? []
  return delay === undefined ? undefined : durationMs(delay)
}

/**
 * How long the vendor asks to be left alone, the most exact source first: milliseconds (Azure, the SDKs), the standard
 * header, Google's body, the message. Between 0 and a day.
 */
export const retryAfterMs = (
  headers: unknown,
  read: { readonly bodies: ReadonlyArray<unknown>; readonly message: string; readonly nowMs: number }
): number | undefined => {
  const asked = numberOf(headerOf(headers, "retry-after-ms"))
    ?? numberOf(headerOf(headers, "x-ms-retry-after-ms"))
    ?? secondsOrDate(headerOf(headers, "retry-after"), read.nowMs)
    ?? retryDelayMs(read.bodies)
    ?? inWords(read.message)
  return asked === undefined ? undefined : boundedMs(asked)
}
