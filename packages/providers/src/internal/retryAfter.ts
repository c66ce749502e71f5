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
export const retryDelayMs = (bodies: ReadonlyArray<unknown>): number | undefined =>
  bodies.flatMap((body) => list(at(body, "details")))
    .map((detail) => durationMs(text(at(detail, "retryDelay")) ?? ""))
    .find((delayMs) => delayMs !== undefined)

const amount = String.raw`\d{1,9}(?:\.\d{1,9})?`
const unit = "(?:ms|milliseconds?|d|days?|h|hrs?|hours?|m|mins?|minutes?|s|secs?|seconds?)(?![a-z])"

const delayInWords = new RegExp(
  String.raw`\b(?:(?:try again|retry) (?:in|after)|wait(?: for| at least)?) (?:about )?`
    + `((?:${amount} ?${unit}(?:,? and |,? )?){1,6})`,
  "i"
)

const figures = new RegExp(`(${amount}) ?(${unit})`, "gi")

/** The abbreviation that `durationMs` knows it by. */
const short = (name: string): string => /^m(s|illi)/i.test(name) ? "ms" : name.slice(0, 1).toLowerCase()

/**
 * "Please try again in 7.66s", "in 1d2h" (OpenAI, Groq), "Please retry after 26 seconds" (Azure), "Please retry in
 * 22.06s" (Gemini), "Please wait 45 seconds before retrying" (GitHub Models).
 */
const inWords = (message: string): number | undefined => {
  const [, delay = ""] = delayInWords.exec(message) ?? []
  return durationMs(
    delay.replace(figures, (_, count: string, name: string) => `${count}${short(name)}`).replace(/,| |and/g, "")
  )
}

/**
 * How long the vendor asks to be left alone, the most exact source first: milliseconds (Azure, the SDKs), the standard
 * header, Google's body, the message. Above 0 and at most a day; a source that says 0, or a moment that has passed, names
 * no time.
 */
export const retryAfterMs = (
  headers: unknown,
  read: { readonly bodies: ReadonlyArray<unknown>; readonly message: string; readonly nowMs: number }
): number | undefined => {
  const asked = [
    numberOf(headerOf(headers, "retry-after-ms")),
    numberOf(headerOf(headers, "x-ms-retry-after-ms")),
    secondsOrDate(headerOf(headers, "retry-after"), read.nowMs),
    retryDelayMs(read.bodies),
    inWords(read.message)
  ].find((ms) => ms !== undefined && ms > 0)
  return asked === undefined ? undefined : boundedMs(asked)
}
