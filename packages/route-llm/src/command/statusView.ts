/**
 * A status report as a table: one row a provider, who waits, and sums.
 */
import type { Dimension, StatusReport } from "@route-llm/core"
import { Array as Arr, Order } from "effect"
import { amount, bar, span } from "./terminal/amounts.ts"
import { type Cell, clip, type Column, layOut, painted } from "./terminal/layout.ts"
import { type Paint, printable, type Style } from "./terminal/style.ts"

type Row = StatusReport["providers"][number]

export interface View {
  /** Cells of the terminal that a line takes, at most. */
  readonly width: number
  readonly paint: Paint
  /** Bars beside percentages. */
  readonly bars: boolean
  /** Lines that there is room for: where the table has more, those in trouble come first. Default: as many as it has. */
  readonly rows?: number
}

const barWidth = 10

/** Neither an open circuit nor a bench keeps it from being called. */
export const inService = ({ benchedBecause, benchedForMs, circuit }: Row): boolean =>
  circuit !== "open" && benchedBecause === undefined && benchedForMs === undefined

/** The worst is the least: out of service, then what may soon be. */
const rank = (row: Row): number => {
  if (row.circuit === "open") return 0
  if (!inService(row)) return 1
  if (row.circuit === "half_open") return 2
  return row.dryInMs !== undefined || row.headroomPct < 10 ? 3 : 4
}

const troubleFirst = Order.mapInput(Order.number, rank)

const forSpan = (ms: number | undefined): string => ms === undefined ? "" : `, ${span(ms)}`

const state = (row: Row): Cell => {
  if (row.circuit === "open") {
    return [["bad", row.circuitRetryAfterMs === undefined ? "open by hand" : `open${forSpan(row.circuitRetryAfterMs)}`]]
  }
  if (!inService(row)) return [["warn", `benched${forSpan(row.benchedForMs)}`]]
  return row.circuit === "half_open" ? [["warn", "half open"]] : [["good", "closed"]]
}

const headroomStyle = (row: Row): Style => {
  if (!inService(row)) return "dim"
  if (row.headroomPct < 10) return "bad"
  return row.headroomPct < 30 ? "warn" : "good"
}

const headroom = (row: Row, bars: boolean): Cell => {
  const pct = Math.round(row.headroomPct)
  const { empty, full } = bar(row.headroomPct / 100, barWidth)
  const style = headroomStyle(row)
  const drawn: Cell = bars ? [[style, full], ["dim", empty], ["plain", " "]] : []
  return [...drawn, [style, `${pct.toString().padStart(3)} %`]]
}

/** `312 / 500`; `~` before a limit that was learned. */
const use = (used: number, limit: number | undefined, learned = false): Cell =>
  limit === undefined ? [["plain", amount(used)]] : [
    [used >= limit ? "bad" : "plain", amount(used)],
    ["dim", ` / ${learned ? "~" : ""}${amount(limit)}`]
  ]

/** A prior is no measurement. */
const measured = (ms: number, isPrior = false): Cell => isPrior ? [["dim", "–"]] : [["plain", span(ms)]]

const otherLimits: ReadonlyArray<readonly [Dimension, string]> = [
  ["inputTokens", "input tokens"],
  ["outputTokens", "output tokens"],
  ["requestsPerDay", "requests a day"],
  ["tokensPerDay", "tokens a day"],
  ["concurrent", "at one time"]
]

const notes = (row: Row): Cell => {
  const said: ReadonlyArray<Cell> = [
    ...(row.benchedBecause === undefined ? [] : [[["plain", `benched: ${row.benchedBecause}`] as const]]),
    ...(row.dryInMs === undefined ? [] : [[["warn", `dry in ${span(row.dryInMs)}`] as const]]),
    ...(row.lastError === undefined
      ? []
      : [[["plain", `${row.lastError.class} ${span(row.lastError.agoMs)} ago`] as const]]),
    ...otherLimits.flatMap(([dimension, name]): ReadonlyArray<Cell> => {
      const known = row.limits[dimension]
      return known === undefined ? [] : [[...use(known.used, known.limit, known.learned), ["plain", ` ${name}`]]]
    })
  ]
  return said.flatMap((cell, i): Cell => i === 0 ? cell : [["dim", " · "], ...cell])
}

const columns = (rows: ReadonlyArray<Row>, bars: boolean): ReadonlyArray<Column> => {
  const column = (
    title: string,
    keep: number,
    cellOf: (row: Row) => Cell,
    options: Partial<Pick<Column, "align" | "least">> = {}
  ): Column => ({ title, keep, align: "right", ...options, cells: rows.map(cellOf) })
  const left = { align: "left" } as const
  return [
    column("provider", Infinity, ({ name }) => [["strong", printable(name)]], left),
    column("model", 1, ({ model }) => [["dim", printable(model)]], left),
    column("rpm", 7, ({ limits, rpmLimit, rpmUsed }) => use(rpmUsed, rpmLimit, limits.requests?.learned)),
    column("tpm", 6, ({ limits, tpmLimit, tpmUsed }) => use(tpmUsed, tpmLimit, limits.tokens?.learned)),
    column("headroom", 8, (row) => headroom(row, bars)),
    column("circuit", 9, state, left),
    column("latency", 4, ({ avgLatencyMs, latencyIsPrior }) => measured(avgLatencyMs, latencyIsPrior)),
    column("1st token", 2, ({ avgFirstTokenMs, firstTokenIsPrior }) => measured(avgFirstTokenMs, firstTokenIsPrior)),
    column("in flight", 3, ({ inFlight }) => [[inFlight === 0 ? "dim" : "plain", amount(inFlight)]]),
    column("notes", 5, notes, { ...left, least: 24 })
  ]
}

const listed = (parts: ReadonlyArray<readonly [count: number, what: string]>): string =>
  parts.filter(([count]) => count > 0).map(([count, what]) => `${amount(count)} ${what}`).join(", ")

const counted = (count: number, one: string): string => `${amount(count)} ${one}${count === 1 ? "" : "s"}`

const heading = ({ providers, startedAt, timestamp, waiting }: StatusReport): Cell => {
  const serving = providers.filter(inService).length
  const style: Style = serving === providers.length ? "good" : serving === 0 ? "bad" : "warn"
  const total = waiting.high + waiting.normal + waiting.low
  const lanes = listed([[waiting.high, "high"], [waiting.normal, "normal"], [waiting.low, "low"]])
  return [
    ["strong", counted(providers.length, "provider")],
    ["plain", ", "],
    [style, `${serving} in service`],
    ["plain", total === 0 ? " · nobody waits" : ` · ${amount(total)} waiting (${lanes})`],
    ["dim", ` · up ${span(timestamp - startedAt)}`]
  ]
}

const sums = ({ totals }: StatusReport): Cell => {
  const ends = listed([
    [totals.served, "served"],
    [totals.failed, "failed"],
    [totals.cancelled, "given up"],
    [totals.inFlight, "in flight"]
  ])
  const tokens = `${amount(totals.inputTokens)} tokens in, ${amount(totals.outputTokens)} out`
  return [
    ["plain", `${counted(totals.requests, "request")}${ends === "" ? "" : `: ${ends}`}`],
    ["dim", ` · ${counted(totals.fallbacks, "fallback")} · ${tokens}`]
  ]
}

/** What the figures below are while the shared state is away. */
const meanings = {
  share: "limits are this instance's share of them",
  open: "each instance goes on as though it were alone"
} as const

const away = ({ state }: StatusReport): ReadonlyArray<Cell> =>
  state === undefined
    ? []
    : [[["warn", `the shared state is away, for ${span(state.sinceMs)}: ${meanings[state.policy]}`]]]

/** The lines of a report, each at most as wide as the view. */
export const statusLines = (
  report: StatusReport,
  { bars, paint, rows = Infinity, width }: View
): ReadonlyArray<string> => {
  const line = (cell: Cell) => painted(clip([["plain", " "], ...cell], width), paint)
  const above = [
    line(heading(report)),
    line(sums(report)),
    ...away(report).map(line),
    ""
  ]
  if (report.providers.length === 0) return [...above, line([["dim", "There is no provider."]])]
  // The titles are a line as well.
  const fits = above.length + 1 + report.providers.length <= rows
  const providers = fits ? report.providers : Arr.sort(report.providers, troubleFirst)
  return [...above, ...layOut(columns(providers, bars), width, paint)]
}
