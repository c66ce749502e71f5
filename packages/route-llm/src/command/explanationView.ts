/**
 * A decision as a table: one row a provider, its score in its terms, and why it may not take the request.
 */
import type { Explanation, RouteReason } from "@route-llm/core"
import { amount, span } from "./terminal/amounts.ts"
import { type Cell, clip, type Column, layOut, painted } from "./terminal/layout.ts"
import { type Paint, printable } from "./terminal/style.ts"

type Candidate = Explanation["candidates"][number]

const because: { readonly [Reason in RouteReason]: string } = {
  ranked: "the best of those that may take it",
  only: "the only candidate",
  session: "its session is pinned to it",
  forced: "it was asked for by name",
  last_resort: "nobody is in service, and it should be back first"
}

const score = (value: number | undefined): Cell => [["plain", value === undefined ? "–" : value.toFixed(3)]]

const verdict = ({ atRisk, provider, refusal }: Candidate, chosen: string | undefined): Cell => {
  if (provider === chosen) return [["good", "chosen"], ["warn", atRisk ? ", would run dry" : ""]]
  if (refusal === undefined) {
    return atRisk
      ? [["warn", "would run dry, so after the others"]]
      : [["plain", "may take it"]]
  }
  const { dimension, limit, needed, reason, retryAfterMs } = refusal
  const of = dimension === undefined || needed === undefined || limit === undefined
    ? ""
    : ` (${amount(needed)} of ${amount(limit)} ${dimension})`
  const until = retryAfterMs === undefined ? "" : `, free in ${span(retryAfterMs)}`
  return [["bad", reason.replaceAll("_", " ")], ["plain", `${of}${until}`]]
}

const columns = ({ candidates, chosen }: Explanation): ReadonlyArray<Column> => {
  const column = (
    title: string,
    keep: number,
    cellOf: (candidate: Candidate) => Cell,
    options: Partial<Pick<Column, "align" | "least">> = {}
  ): Column => ({ title, keep, align: "right", ...options, cells: candidates.map(cellOf) })
  return [
    column("provider", Infinity, ({ provider }) => [["strong", printable(provider)]], { align: "left" }),
    column("model", 1, ({ model }) => [["dim", printable(model)]], { align: "left" }),
    column("score", 8, (each) => score(each.score)),
    column("capacity", 5, ({ terms }) => score(terms.capacity)),
    column("latency", 4, ({ terms }) => score(terms.latency)),
    column("static", 3, ({ terms }) => score(terms.static)),
    column("input", 6, ({ needs }) => [["plain", amount(needs.inputTokens)]]),
    column("output", 2, ({ needs }) => [["plain", amount(needs.outputTokens)]]),
    column("decision", 9, (each) => verdict(each, chosen), { align: "left", least: 24 })
  ]
}

const outcome = ({ chosen, reason, waitMs }: Explanation): Cell => {
  if (chosen !== undefined) {
    return [["plain", "goes to "], ["good", printable(chosen)], [
      "plain",
      reason === undefined ? "" : `: ${because[reason]}`
    ]]
  }
  const after: Cell = waitMs === undefined ? [] : [["plain", `, one may in ${span(waitMs)}`]]
  return [["bad", "no provider may take it now"], ...after]
}

/** The lines of an explanation, each at most `width` cells of the terminal. */
export const explanationLines = (
  explanation: Explanation,
  { paint, width }: { readonly width: number; readonly paint: Paint }
): ReadonlyArray<string> => {
  const { inputTokens, lane, policy } = explanation
  const line = (cell: Cell) => painted(clip([["plain", " "], ...cell], width), paint)
  return [
    line([
      ["dim", `${amount(inputTokens)} tokens of input, ${lane} lane, policy ${policy}: `],
      ...outcome(explanation)
    ]),
    "",
    ...layOut(columns(explanation), width, paint)
  ]
}
