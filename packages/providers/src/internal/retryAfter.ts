import { at, list, text } from "./json.ts"

/** What a vendor asks for is bounded by a day: after it, one call finds out anew. */
const longestMs = 86_400_000

const header = (thrown: unknown, name: string): string | undefined => {
  const headers = at(thrown, "headers")
  const get = at(headers, "get")
  return text(typeof get === "function" ? Reflect.apply(get, headers, [name]) : at(headers, name))
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }

/** A duration such as `22s`, `10.68s`, `120ms`, `2m59.56s`, `1h0m5s`. */
const durationMs = (value: string): number | undefined => {
  if (!/^(?:\d+(?:\.\d+)?(?:ms|h|m|s))+$/.test(value)) return undefined
  return [...value.matchAll(/([\d.]+)(ms|h|m|s)/g)].reduce(
    (total, [, amount, unit]) => total + Number(amount) * (unitMs[unit ?? ""] ?? 0),
    0
  )
}

const numberOf = (value: string | undefined): number | undefined =>
  value !== undefined && /^\s*\d+(\.\d+)?\s*$/.test(value) ? Number(value) : undefined

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
const retryDelay = (bodies: ReadonlyArray<unknown>): number | undefined => {
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
  thrown: unknown,
  read: { readonly bodies: ReadonlyArray<unknown>; readonly message: string; readonly nowMs: number }
): number | undefined => {
  const asked = numberOf(header(thrown, "retry-after-ms"))
    ?? numberOf(header(thrown, "x-ms-retry-after-ms"))
    ?? secondsOrDate(header(thrown, "retry-after"), read.nowMs)
    ?? retryDelay(read.bodies)
    ?? inWords(read.message)
  return asked === undefined ? undefined : Math.min(longestMs, Math.max(0, Math.ceil(asked)))
}
