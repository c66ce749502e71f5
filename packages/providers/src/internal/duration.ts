/** How vendors write times, read as ms. What is written in no known way is `undefined`. */

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

const duration = /^(?:\d+(?:\.\d+)?(?:ms|d|h|m|s))+$/

/** As Go and protobuf write it: `22s`, `10.68s`, `120ms`, `2m59.56s`, `1h0m5s`, and with days: `1d2h`. */
export const durationMs = (value: string): number | undefined =>
  duration.test(value)
    ? [...value.matchAll(/([\d.]+)(ms|d|h|m|s)/g)].reduce(
      (total, [, amount, unit]) => total + Number(amount) * (unitMs[unit ?? ""] ?? 0),
      0
    )
    : undefined

/** A plain number, not negative. */
export const numberOf = (value: string | undefined): number | undefined =>
  value !== undefined && /^\s*\d{1,15}(?:\.\d{1,15})?\s*$/.test(value) ? Number(value) : undefined

const rfc3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)$/

/** Numbers from here on are moments, in seconds and in ms since 1970: no vendor lets anyone wait for 30 years. */
const firstEpochSeconds = 1e9
const firstEpochMs = 1e12

/** How long until a moment or for how long, whichever it is: a date, an epoch, a duration, plain seconds. */
export const untilMs = (value: string, nowMs: number): number | undefined => {
  if (rfc3339.test(value)) {
    const date = Date.parse(value)
    return Number.isNaN(date) ? undefined : date - nowMs
  }
  const number = numberOf(value)
  if (number === undefined) return durationMs(value)
  if (number >= firstEpochMs) return number - nowMs
  return number >= firstEpochSeconds ? number * 1_000 - nowMs : number * 1_000
}

/** What a vendor asks for is bounded by a day: after it, one call finds out anew. */
const longestMs = 86_400_000

/** Whole ms between 0 and a day. */
export const boundedMs = (ms: number): number => Math.min(longestMs, Math.max(0, Math.ceil(ms)))
