/**
 * The scripts' text. They are three, with the options of the router written in as constants, so that nothing has to be
 * handed over or looked up while they run; places in rows of numbers are written as names, `p.latencyMs`.
 */
import type { RouterSettings } from "@route-llm/core"
import {
  failureClasses,
  fieldCount,
  fields,
  initialWords,
  latelyRing,
  patience,
  wordCount,
  wordFields,
  wordRows
} from "@route-llm/core/kernel"
import { createHash } from "node:crypto"
import { itemFields, itemNames } from "./item.ts"
import { common, meters, prelude } from "./lua/common.ts"
import { reserve } from "./lua/reserve.ts"
import { settle } from "./lua/settle.ts"
import { settling } from "./lua/settling.ts"
import { snapshot } from "./lua/snapshot.ts"

/** What a script answers where Redis has gone back behind what it had taken. */
export const olderState = "OLDER it has gone back to an older state"

/** Where the time comes from: Redis, or whoever calls, in tests that have the clock in their hand. */
export type TimeSource = "server" | "caller"

export interface Script {
  readonly text: string
  readonly sha: string
}

export interface Scripts {
  readonly reserve: Script
  readonly settle: Script
  readonly snapshot: Script
}

/** How a provider's value is laid out, in bytes: the row, the words, the cells of the window, of its part that is lately, of the day. */
export interface Layout {
  readonly buckets: number
  readonly wordsAt: number
  readonly minuteAt: number
  readonly latelyAt: number
  readonly latelyCells: number
  readonly dayAt: number
  readonly bytes: number
}

/** A day is kept as in memory: 144 buckets and the one that is leaving. */
export const dayCells = 145

export const layoutOf = (buckets: number): Layout => {
  const wordsAt = fieldCount * 8
  const minuteAt = wordsAt + wordRows * wordCount * 8
  const latelyAt = minuteAt + (buckets + 1) * 12
  const latelyCells = latelyRing({ buckets, window: 1 }).size
  const dayAt = latelyAt + latelyCells * 12
  return { buckets, wordsAt, minuteAt, latelyAt, latelyCells, dayAt, bytes: dayAt + dayCells * 8 }
}

const number = (value: number): string =>
  Number.isFinite(value) ? String(value) : value > 0 ? "math.huge" : "-math.huge"

const list = (values: ReadonlyArray<number>): string => values.map(number).join(", ")

/** A provider that nobody has met. Its time is the script's. */
const fresh = ({ latency, outputPriorTokens }: RouterSettings): string => {
  const values = new Map<string, string>([
    ["dayHead", "-math.huge"],
    ["head", "-math.huge"],
    ["latelyHead", "-math.huge"],
    ["latencyMs", number(latency.prior)],
    ["latencyAtMs", "now"],
    ["firstTokenMs", number(latency.prior)],
    ["firstTokenAtMs", "now"],
    ["inputRatio", "1"],
    ["outputMean", number(outputPriorTokens)],
    ["benchedUntilMs", "-math.huge"],
    ["outSinceMs", "-math.huge"],
    // Never before the state itself.
    ["made", "max(now, born)"]
  ])
  return Object.keys(fields).map((name) => values.get(name) ?? "0").join(", ")
}

const times = {
  server: "local t = call('TIME')\nlocal clock = t[1] * 1000 + t[2] / 1000",
  caller: "local clock = ownTime"
}

const doubles = (count: number): string => `<${"d".repeat(count)}`

const constants = (settings: RouterSettings, layout: Layout, time: TimeSource): Readonly<Record<string, string>> => {
  const { breaker, latency } = settings
  return {
    TIME: times[time],
    OLDER: olderState,
    GRAIN: time === "caller" ? "0" : "50",
    MADEAT: number(fields.made * 8),
    WINDOW: number(settings.window),
    BUCKET: number(settings.window / layout.buckets),
    SIZE: number(layout.buckets + 1),
    LATELYBUCKET: number(latelyRing({ buckets: layout.buckets, window: settings.window }).bucketMs),
    LATELYSIZE: number(layout.latelyCells),
    TTL: number(ttlOf(settings)),
    WAITINGTTL: number(Math.ceil(Math.max(2 * settings.window, 10_000))),
    ROW: doubles(fieldCount),
    FIELDS: number(fieldCount),
    FRESH: fresh(settings),
    FRESHWORDS: list(initialWords),
    WORDS: doubles(wordRows * wordCount),
    WORDCOUNT: number(wordCount),
    WORDROWS: number(wordRows),
    ROWEND: number(layout.wordsAt - 1),
    WORDSAT: number(layout.wordsAt),
    WORDSEND: number(layout.minuteAt - 1),
    MINUTEAT: number(layout.minuteAt),
    LATELYAT: number(layout.latelyAt),
    DAYAT: number(layout.dayAt),
    BYTES: number(layout.bytes),
    ITEM: doubles(itemNames.length),
    ITEMS: number(itemNames.length),
    DECLARED: number(itemFields.requestsLimit + 1),
    COMMON: number((100 - settings.highPriorityReservePct) / 100),
    TRANSIT: number(settings.transit),
    PRIOR: number(latency.prior),
    ALPHA: number(latency.alpha),
    CEILING: number(latency.ceiling),
    LATENCYHALFLIFE: number(latency.halfLife),
    PATIENCE: number(patience.most),
    IMPATIENCE: number(patience.least),
    LONG: number(patience.longMs),
    RATELIMIT: number(failureClasses.indexOf("rate_limit")),
    PINTTL: number(Math.ceil(settings.affinity.ttl)),
    LASTRESORT: number(breaker.lastResort),
    FAILURETHRESHOLD: number(breaker.failureThreshold),
    MINIMUMCALLS: number(breaker.minimumCalls),
    ERRORRATIO: number(breaker.errorRatio),
    BREAKERHALFLIFE: number(breaker.halfLife),
    COOLDOWN: number(breaker.cooldown),
    MAXCOOLDOWN: number(breaker.maxCooldown),
    RAMP: number(breaker.ramp)
  }
}

/** Keys outlive whatever they say by far; while an instance is there, its heartbeat keeps them. */
const ttlOf = ({ breaker, window }: RouterSettings): number =>
  Math.ceil(Math.max(2 * 86_400_000, 10 * window, 2 * breaker.maxCooldown))

const named = (text: string, prefix: string, places: Readonly<Record<string, number>>, to: (n: number) => string) =>
  text.replaceAll(new RegExp(`\\b${prefix}\\.([a-zA-Z]+)`, "g"), (whole, name: string) => {
    const place = places[name]
    if (place === undefined) throw new Error(`${whole}: there is no such field`)
    return to(place + 1)
  })

const composed = (parts: ReadonlyArray<string>, values: Readonly<Record<string, string>>): Script => {
  const whole = [prelude, "local function main()", common, meters, ...parts, "end\nreturn main()"].join("\n")
  const filled = whole.replaceAll(/\$([A-Z]+)/g, (constant, name: string) => {
    const value = values[name]
    if (value === undefined) throw new Error(`${constant}: there is no such constant`)
    return value
  })
  const places = named(filled, "p", fields, (n) => `p[${n}]`)
  const text = named(named(places, "m", wordFields, (n) => `W[o + ${n}]`), "q", itemFields, (n) => `q[${n}]`)
  return { text, sha: createHash("sha1").update(text).digest("hex") }
}

export const makeScripts = (settings: RouterSettings, layout: Layout, time: TimeSource): Scripts => {
  const values = constants(settings, layout, time)
  return {
    reserve: composed([reserve], values),
    settle: composed([settling, settle], values),
    snapshot: composed([settling, snapshot], values)
  }
}
