/**
 * The rate-limit headers of all vendors, as one table. A row is known by its headers' names, whichever adapter they
 * come through: everything that imitates OpenAI is called by the openai adapter. Only what `…-requests` counts depends
 * on the vendor as well.
 *
 * Sources, seen on live answers or documented: OpenAI's guide to rate limits; Azure OpenAI's quota guide;
 * docs.anthropic.com/en/api/rate-limits; console.groq.com/docs/rate-limits; Mistral's answers of 2025 (`bysize`) and
 * 2026 (`req-minute`); inference-docs.cerebras.ai (`requests-day`, `tokens-minute`); openrouter.ai/docs/api/errors.
 */
import type { LimitReading } from "@route-llm/core"
import type { AdapterName } from "../ProviderOptions.ts"
import { boundedMs, numberOf, untilMs } from "./duration.ts"
import { fieldsOf } from "./headers.ts"

type Dimension = LimitReading["dimension"]

interface Row {
  readonly dimension: Dimension
  /** The names of the three headers. */
  readonly limit: string
  readonly remaining: string
  readonly reset: string
  /** The row says nothing of its own beside one of these headers. */
  readonly unless?: ReadonlyArray<string>
}

const xRateLimit = (what: string, dimension: Dimension): Row => ({
  dimension,
  limit: `x-ratelimit-limit-${what}`,
  remaining: `x-ratelimit-remaining-${what}`,
  reset: `x-ratelimit-reset-${what}`
})

const anthropic = (what: string, dimension: Dimension): Row => ({
  dimension,
  limit: `anthropic-ratelimit-${what}-limit`,
  remaining: `anthropic-ratelimit-${what}-remaining`,
  reset: `anthropic-ratelimit-${what}-reset`
})

const rows: ReadonlyArray<Row> = [
  // OpenAI, Azure, Groq, xAI, SambaNova and most others.
  xRateLimit("requests", "requests"),
  xRateLimit("tokens", "tokens"),
  // OpenAI, where the project has a limit of its own below the organisation's.
  xRateLimit("project-tokens", "tokens"),
  // Those that name the window: Mistral, Cerebras, SambaNova.
  xRateLimit("req-minute", "requests"),
  xRateLimit("requests-minute", "requests"),
  xRateLimit("tokens-minute", "tokens"),
  xRateLimit("requests-day", "requestsPerDay"),
  xRateLimit("tokens-day", "tokensPerDay"),
  // Mistral's older names.
  {
    dimension: "tokens",
    limit: "x-ratelimitbysize-limit-minute",
    remaining: "x-ratelimitbysize-remaining-minute",
    reset: "ratelimitbysize-reset"
  },
  anthropic("requests", "requests"),
  anthropic("input-tokens", "inputTokens"),
  anthropic("output-tokens", "outputTokens"),
  {
    ...anthropic("tokens", "tokens"),
    // It shows the most restrictive limit in force: the sum of the two, which binds nothing that they do not, or a
    // workspace's limit, of which it does not say whether input, output or both count. Taken for a limit on both, one
    // on output alone would turn every long prompt away for good; left out, it costs a 429 with its Retry-After.
    unless: ["anthropic-ratelimit-input-tokens-limit", "anthropic-ratelimit-output-tokens-limit"]
  }
]

/** OpenRouter's, on the free tier, without a word of what it counts: requests, a minute (20) or a day (50, 1,000). */
const openRouter = { limit: "x-ratelimit-limit", remaining: "x-ratelimit-remaining", reset: "x-ratelimit-reset" }

type Fields = ReadonlyMap<string, string>

const readRow = (row: Row, fields: Fields, nowMs: number): LimitReading | undefined => {
  const given = fields.get(row.limit)
  const limit = numberOf(given)
  // A limit of 0 or -1 stands for "not limited here" or "not yours": what remains of it then says nothing either.
  if (given !== undefined && (limit === undefined || limit < 1)) return undefined
  const remaining = numberOf(fields.get(row.remaining))
  if (limit === undefined && remaining === undefined) return undefined
  if (row.unless?.some((name) => fields.has(name)) === true) return undefined
  const reset = fields.get(row.reset)
  const resetMs = reset === undefined ? undefined : untilMs(reset.trim(), nowMs)
  return {
    dimension: row.dimension,
    ...(limit === undefined ? {} : { limit: Math.floor(limit) }),
    ...(remaining === undefined ? {} : { remaining: Math.floor(Math.min(remaining, limit ?? remaining)) }),
    ...(resetMs === undefined ? {} : { resetMs: boundedMs(resetMs) })
  }
}

/** Told by its reset, in ms since 1970; others use the same names for other things (Together: requests a second). */
const openRouterRow = (fields: Fields, words: string, nowMs: number): ReadonlyArray<Row> => {
  const reset = numberOf(fields.get(openRouter.reset))
  if (reset === undefined || reset < 1e12) return []
  // Of a limit a minute the message can offer more requests "per day", so it is asked for the minute first.
  const isDaily = !/per-min|limit_rpm/i.test(words) && (/per-day|limit_rpd/i.test(words) || reset - nowMs > 60_000)
  return [{ ...openRouter, dimension: isDaily ? "requestsPerDay" : "requests" }]
}

/** A clock that is wrong here would turn every date into nonsense, so one that is far off gives way to the vendor's. */
const vendorsNowMs = (date: string | undefined, nowMs: number): number => {
  const saidMs = date === undefined ? NaN : Date.parse(date)
  return Math.abs(saidMs - nowMs) > 10_000 ? saidMs : nowMs
}

/** What is known beside the headers. */
export interface Heard {
  readonly adapter: AdapterName | undefined
  /** The wall clock's, when the headers came. */
  readonly nowMs: number
  /** The vendor's message, where it is an error. */
  readonly words?: string
}

const region = "x-groq-region"

const isWanted = (name: string): boolean => name.includes("ratelimit") || name === "date" || name === region

/** What the headers say of the vendor's limits; what they say in no known way is left out. */
export const headerReadings = (headers: unknown, heard: Heard): ReadonlyArray<LimitReading> => {
  const fields = fieldsOf(headers, isWanted)
  const nowMs = vendorsNowMs(fields.get("date"), heard.nowMs)
  // Groq's requests are of the day (console.groq.com/docs/rate-limits); its region tells it whichever SDK asked.
  const isGroq = heard.adapter === "groq" || fields.has(region)
  return [...rows, ...openRouterRow(fields, heard.words ?? "", nowMs)].flatMap((row) => {
    const reading = readRow(row, fields, nowMs)
    if (reading === undefined) return []
    return row.limit === "x-ratelimit-limit-requests" && isGroq
      ? [{ ...reading, dimension: "requestsPerDay" as const }]
      : [reading]
  })
}
