import type { Board } from "./Board.ts"
import { Circuit, standingOf } from "./Circuit.tsx"
import { count, latency, percent, span, words } from "./format.ts"
import type { ProviderRow } from "./History.ts"
import { limitNames } from "./limitNames.ts"
import { providerColour } from "./theme.ts"
import { UseChart } from "./UseChart.tsx"

const Bar = ({ label, learned, limit, name, used }: {
  name: string
  label: string
  used: number
  limit: number | undefined
  learned: boolean
}) => {
  const share = limit === undefined ? undefined : Math.min(100, used / limit * 100)
  const free = share === undefined ? undefined : 100 - share
  return (
    <div class="bar" data-full={share !== undefined && share >= 90 ? "" : undefined}>
      <span class="what">{label}</span>
      <span class="amount">
        <b>{count(used)}</b>
        {limit === undefined ? " a minute, no limit known" : ` of ${count(limit)}${learned ? ", learned" : ""}`}
      </span>
      <span class="free">{free === undefined ? "" : `${percent(free)} free`}</span>
      <span
        class="track"
        role="meter"
        data-testid={`${label === "RPM" ? "rpm" : "tpm"}-${name}`}
        aria-label={`${label === "RPM" ? "Requests" : "Tokens"} a minute of ${name}`}
        aria-valuemin={0}
        aria-valuemax={limit ?? used}
        aria-valuenow={used}
        aria-valuetext={limit === undefined ? `${count(used)}, no limit known` : `${count(used)} of ${count(limit)}`}
      >
        <i style={{ transform: `scaleX(${(share ?? 0) / 100})` }} />
      </span>
    </div>
  )
}

const sparkWidth = 96
const sparkHeight = 22

/** The latency's course, from its least to its most. */
const Sparkline = ({ values }: { values: ReadonlyArray<number> }) => {
  if (values.length < 2) return <svg class="spark" aria-hidden="true" />
  const least = Math.min(...values)
  const range = Math.max(...values) - least || 1
  const step = sparkWidth / (values.length - 1)
  const points = values.map((value, index) =>
    `${(index * step).toFixed(1)},${(sparkHeight - 2 - (value - least) / range * (sparkHeight - 4)).toFixed(1)}`
  )
  return (
    <svg class="spark" viewBox={`0 0 ${sparkWidth} ${sparkHeight}`} preserveAspectRatio="none" aria-hidden="true">
      <polyline points={points.join(" ")} />
    </svg>
  )
}

/** Of a latency that nobody has measured yet. */
const unknown = "–"

const Facts = ({ board, row }: { board: Board; row: ProviderRow }) => {
  const latencies = board.historyOf(row.name).latencies
  const { dryInMs, lastError } = row
  return (
    <dl class="facts">
      <div class="latency">
        <dt>Latency</dt>
        <dd>
          <b>{row.latencyIsPrior === true ? unknown : latency(row.avgLatencyMs)}</b>
          <Sparkline values={latencies} />
        </dd>
      </div>
      <div>
        <dt>In flight</dt>
        <dd>
          <b>{count(row.inFlight)}</b>
        </dd>
      </div>
      <div>
        <dt>Runs dry</dt>
        <dd data-tone={dryInMs === undefined ? undefined : "warn"}>
          <b>{dryInMs === undefined ? "no" : dryInMs < 1 ? "now" : `in ${span(dryInMs)}`}</b>
        </dd>
      </div>
      <div>
        <dt>Last error</dt>
        <dd>{lastError === undefined ? "none" : `${words(lastError.class)}, ${span(lastError.agoMs)} ago`}</dd>
      </div>
    </dl>
  )
}

const Limits = ({ row }: { row: ProviderRow }) => (
  <details>
    <summary>All limits and the first token</summary>
    <table>
      <tbody>
        {limitNames.map(([dimension, name]) => {
          const limit = row.limits[dimension]
          return limit === undefined ? null : (
            <tr key={dimension}>
              <th scope="row">{name}</th>
              <td>{count(limit.used)} of {count(limit.limit)}</td>
              <td>{limit.learned ? "learned" : "declared"}</td>
            </tr>
          )
        })}
        <tr>
          <th scope="row">First token of streams</th>
          <td>{row.firstTokenIsPrior === true ? unknown : latency(row.avgFirstTokenMs)}</td>
          <td>average</td>
        </tr>
      </tbody>
    </table>
  </details>
)

export const ProviderCard = ({ board, index, row }: { board: Board; row: ProviderRow; index: number }) => (
  <article
    class="card"
    data-state={standingOf(row)}
    data-testid={`card-${row.name}`}
    aria-label={row.name}
    style={{ "--own": `var(--${providerColour(index)})` }}
  >
    <header>
      <h3>{row.name}</h3>
      <p class="model">{row.model}</p>
      <Circuit board={board} row={row} />
    </header>
    <div class="bars">
      <Bar
        name={row.name}
        label="RPM"
        used={row.rpmUsed}
        limit={row.rpmLimit}
        learned={row.limits.requests?.learned === true}
      />
      <Bar
        name={row.name}
        label="TPM"
        used={row.tpmUsed}
        limit={row.tpmLimit}
        learned={row.limits.tokens?.learned === true}
      />
    </div>
    <UseChart board={board} name={row.name} index={index} />
    <Facts board={board} row={row} />
    <Limits row={row} />
  </article>
)
