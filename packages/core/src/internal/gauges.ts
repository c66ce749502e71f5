import { Metric, type MetricLabel, Record } from "effect"
import type { CircuitState, LimitStatus, ProviderStatus, StatusReport } from "../Status.ts"
import { counted, type Labels } from "./series.ts"

/** What of a provider is shown in gauges. */
interface Named extends Pick<ProviderStatus, "headroomPct" | "inFlight" | "benchedBecause"> {
  readonly name: string
  readonly circuit: CircuitState | undefined
  readonly limits: Readonly<Record<string, Omit<LimitStatus, "learned"> | undefined>>
}

/** What a report says, as gauges. */
export const gauges = (shared: Labels) => {
  const gauge = (name: string, description: string, labels: ReadonlyArray<string>, unit?: MetricLabel.MetricLabel) =>
    counted(Metric.gauge(name, { description }), labels, unit === undefined ? shared : [...shared, unit])
  const used = gauge("route_llm.limit.used", "How much of a limit is used.", ["provider", "dimension"])
  const limit = gauge("route_llm.limit", "A limit in force.", ["provider", "dimension"])
  const headroom = gauge("route_llm.headroom", "The free share of the scarcest limit.", ["provider"])
  const circuit = gauge("route_llm.circuit.state", "1 for the state that a circuit is in.", ["provider", "state"])
  const benched = gauge("route_llm.benched", "1 while a provider is set aside.", ["provider"])
  const inFlight = gauge("route_llm.in_flight", "Calls under way.", ["provider"])
  const waiting = gauge("route_llm.waiting", "Requests in line.", ["lane"])
  const states = ["closed", "open", "half_open"] as const
  const lanes = ["high", "normal", "low"] as const
  /** The registry forgets no series: those of a limit that has ended are 0 from then on. */
  const ended = (limits: Named["limits"]): Named["limits"] => Record.map(limits, () => ({ used: 0, limit: 0 }))
  /** And so are all of a provider that has left. */
  const left = ({ limits, name }: Named): Named => ({
    name,
    headroomPct: 0,
    inFlight: 0,
    benchedBecause: undefined,
    circuit: undefined,
    limits: ended(limits)
  })
  let before: ReadonlyMap<string, Named> = new Map()
  return (report: Pick<StatusReport, "providers" | "waiting">): void => {
    for (const lane of lanes) waiting(report.waiting[lane], lane)
    const now = new Map(report.providers.map((provider) => [provider.name, provider]))
    const gone = [...before.values()].filter(({ name }) => !now.has(name)).map(left)
    const here = report.providers.map((provider) => ({
      ...provider,
      limits: { ...ended(before.get(provider.name)?.limits ?? {}), ...provider.limits }
    }))
    before = now
    for (const provider of [...here, ...gone]) {
      const { name } = provider
      headroom(provider.headroomPct / 100, name)
      inFlight(provider.inFlight, name)
      benched(provider.benchedBecause === undefined ? 0 : 1, name)
      for (const state of states) circuit(provider.circuit === state ? 1 : 0, name, state)
      for (const [dimension, known] of Object.entries(provider.limits)) {
        used(known?.used ?? 0, name, dimension)
        limit(known?.limit ?? 0, name, dimension)
      }
    }
  }
}
