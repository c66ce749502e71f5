/**
 * Whether what came is what the page draws. Only what it reads is looked at, so that an app may tell more than this page
 * knows of; the schemas themselves are three times as large as the page.
 */
import type { RouterEvent, StatusReport } from "@route-llm/core"

type Check = (value: unknown) => boolean

type Fields<A> = { readonly [Name in keyof A]?: Check }

type Row = StatusReport["providers"][number]

const isText: Check = (value) => typeof value === "string"
const isNumber: Check = (value) => typeof value === "number"
/** Milliseconds since 1970, of a day that there is. */
const isTime: Check = (value) => isNumber(value) && !Number.isNaN(new Date(Number(value)).getTime())
const maybe = (check: Check): Check => (value) => value === undefined || check(value)
const oneOf = (...values: ReadonlyArray<string>): Check => (value) => isText(value) && values.includes(String(value))
const listOf = (check: Check): Check => (value) => Array.isArray(value) && value.every(check)

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null

const has = <A>(fields: Fields<A>): Check => {
  const checks: ReadonlyArray<readonly [string, Check]> = Object.entries(fields)
  return (value) => isRecord(value) && checks.every(([name, check]) => check(value[name]))
}

const all = <Name extends string>(check: Check, ...names: ReadonlyArray<Name>): { readonly [_ in Name]?: Check } =>
  Object.fromEntries(names.map((name) => [name, check])) as { readonly [_ in Name]?: Check }

const circuits = oneOf("closed", "open", "half_open")

const limit = has<NonNullable<Row["limits"]["requests"]>>(all(isNumber, "used", "limit"))

const limits: Check = (value) => isRecord(value) && Object.values(value).every(maybe(limit))

const row = has<Row>({
  ...all(isText, "name", "model"),
  ...all(isNumber, "rpmUsed", "tpmUsed", "avgLatencyMs", "avgFirstTokenMs", "inFlight"),
  ...all(maybe(isNumber), "rpmLimit", "tpmLimit", "circuitRetryAfterMs", "benchedForMs", "dryInMs"),
  circuit: circuits,
  benchedBecause: maybe(isText),
  lastError: maybe(has<NonNullable<Row["lastError"]>>({ class: isText, agoMs: isNumber })),
  limits
})

const report = has<StatusReport>({
  ...all(isTime, "timestamp", "startedAt"),
  providers: listOf(row),
  waiting: has(all(isNumber, "high", "normal", "low")),
  totals: has(all(isNumber, "requests", "served", "failed", "fallbacks", "inFlight", "rpmUsed", "tpmUsed"))
})

const events: { readonly [Tag in RouterEvent["_tag"]]: Fields<Extract<RouterEvent, { readonly _tag: Tag }>> } = {
  RouteEvent: {
    ...all(isText, "outcome", "provider", "reason", "priority"),
    ...all(isNumber, "inputTokens", "outputTokens", "latencyMs", "waitedMs"),
    fallbackFrom: maybe(has(all(isText, "provider", "class")))
  },
  FellBack: all(isText, "from", "to", "because"),
  RouteEnded: { outcome: isText, provider: maybe(isText), ...all(isNumber, "attempts", "latencyMs", "waitedMs") },
  CircuitMoved: { provider: isText, ...all(circuits, "from", "to") },
  Benched: { ...all(isText, "provider", "because"), forMs: maybe(isNumber) },
  LimitLearned: { ...all(isText, "provider", "dimension"), limit: isNumber },
  StateFailed: { message: isText, operation: maybe(isText) },
  StateRecovered: { afterMs: isNumber }
}

/** The events that the page knows. */
export const tags = Object.keys(events) as ReadonlyArray<RouterEvent["_tag"]>

export const isReport = (value: unknown): value is StatusReport => report(value)

/** The shared store is away, and the app goes on without it. */
export interface Away {
  readonly policy: string
  /** For how long. */
  readonly sinceMs: number
}

const away = has<{ readonly state: unknown }>({
  state: has<Away & { readonly away: unknown }>({ away: (is) => is === true, policy: isText, sinceMs: isNumber })
})

/** What a report says of that; nothing while all is well, and nothing where it cannot be read. */
export const awayIn = (report: unknown): Away | undefined =>
  away(report) ? (report as { readonly state: Away }).state : undefined

/** `tag` is what the event was sent as. */
export const isEvent = (tag: RouterEvent["_tag"], value: unknown): value is RouterEvent =>
  has<RouterEvent>({ _tag: oneOf(tag), timestamp: isTime, ...events[tag] })(value)
