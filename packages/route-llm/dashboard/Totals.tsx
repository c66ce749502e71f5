import type { StatusReport } from "@route-llm/core"
import type { ComponentChildren } from "preact"
import type { Board } from "./Board.ts"
import { count, percent } from "./format.ts"

const lanes = ["high", "normal", "low"] as const

const Tile = (
  { children, label, tone, value }: { label: string; value: string; tone?: string; children?: ComponentChildren }
) => (
  <div class="tile" data-tone={tone}>
    <dt>{label}</dt>
    <dd>
      <b>{value}</b>
      <small>{children}</small>
    </dd>
  </div>
)

/** The sum of a limit over all providers, where all have one. */
const sumOf = ({ providers }: StatusReport, limit: "rpmLimit" | "tpmLimit"): number | undefined => {
  const limits = providers.flatMap((row) => row[limit] ?? [])
  return limits.length < providers.length || limits.length === 0 ? undefined : limits.reduce((sum, each) => sum + each)
}

const Use = ({ limit, used }: { used: number; limit: number | undefined }) =>
  limit === undefined
    ? <>in the last minute</>
    : (
      <>
        <span class="thin" aria-hidden="true">
          <i style={{ width: `${Math.min(100, used / limit * 100)}%` }} />
        </span>
        {percent(used / limit * 100)} of {count(limit)}
      </>
    )

const Lanes = ({ waiting }: { waiting: StatusReport["waiting"] }) => {
  const most = Math.max(8, ...lanes.map((lane) => waiting[lane]))
  return (
    <ul class="lanes">
      {lanes.map((lane) => (
        <li key={lane}>
          <span>{lane}</span>
          <span class="thin" aria-hidden="true">
            <i style={{ width: `${waiting[lane] / most * 100}%` }} />
          </span>
          <span class="figure" data-testid={`waiting-${lane}`}>{count(waiting[lane])}</span>
        </li>
      ))}
    </ul>
  )
}

export const Totals = ({ board }: { board: Board }) => {
  const report = board.report.value
  if (report === undefined) return null
  const { failed, fallbacks, inFlight, requests, rpmUsed, served, tpmUsed } = report.totals
  const ended = served + failed
  const waiting = lanes.reduce((sum, lane) => sum + report.waiting[lane], 0)
  return (
    <dl class="totals" aria-label="Totals">
      <Tile label="Served" value={count(served)}>
        {ended === 0 ? "no request has ended yet" : `${percent(served / ended * 100)} of ${count(ended)}`}
      </Tile>
      <Tile label="Not served" value={count(failed)} {...(failed > 0 ? { tone: "bad" } : {})}>
        {ended === 0 ? "none" : `${percent(failed / ended * 100)} of ${count(ended)}`}
      </Tile>
      <Tile label="Fallbacks" value={count(fallbacks)}>
        {requests === 0 ? "none yet" : `${percent(fallbacks / requests * 100)} of requests`}
      </Tile>
      <Tile label="Requests a minute" value={count(rpmUsed)}>
        <Use used={rpmUsed} limit={sumOf(report, "rpmLimit")} />
      </Tile>
      <Tile label="Tokens a minute" value={count(tpmUsed)}>
        <Use used={tpmUsed} limit={sumOf(report, "tpmLimit")} />
      </Tile>
      <Tile label="In flight" value={count(inFlight)}>calls under way</Tile>
      <div class="tile wide">
        <dt>Waiting</dt>
        <dd>
          <b>{count(waiting)}</b>
          <Lanes waiting={report.waiting} />
        </dd>
      </div>
    </dl>
  )
}
