import { type MetricPair, MetricState, Option } from "effect"

type Pair = MetricPair.MetricPair.Untyped
type Labels = ReadonlyArray<readonly [name: string, value: string]>

interface Sample {
  readonly suffix: string
  readonly labels: Labels
  readonly value: number
}

type Kind = "counter" | "gauge" | "histogram" | "summary"

interface Family {
  readonly kind: Kind
  readonly help: string
  readonly samples: Array<Sample>
}

const units: Readonly<Record<string, string>> = { s: "_seconds", ms: "_milliseconds", By: "_bytes" }

const nameOf = (name: string): string => name.replace(/[^a-zA-Z0-9_:]/g, "_").replace(/^(?=\d)/, "_")
const labelNameOf = (name: string): string => nameOf(name).replaceAll(":", "_")

const escaped = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")
const quoted = (value: string): string => `"${escaped(value).replaceAll("\"", "\\\"")}"`

const numberOf = (value: number): string =>
  value === Number.POSITIVE_INFINITY ? "+Inf" : value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value)

const samplesOf = ({ metricKey, metricState: state }: Pair, labels: Labels): readonly [Kind, ReadonlyArray<Sample>] => {
  const one = (suffix: string, value: number | bigint, ...more: Labels): Sample => ({
    suffix,
    labels: [...labels, ...more],
    value: Number(value)
  })
  if (MetricState.isCounterState(state)) {
    const isMonotonic = "incremental" in metricKey.keyType && metricKey.keyType.incremental === true
    return [isMonotonic ? "counter" : "gauge", [one("", state.count)]]
  }
  if (MetricState.isFrequencyState(state)) {
    return ["counter", Array.from(state.occurrences, ([key, count]) => one("", count, ["key", key]))]
  }
  if (MetricState.isHistogramState(state)) {
    const bounded = state.buckets.filter(([boundary]) => boundary !== Number.POSITIVE_INFINITY)
    return ["histogram", [
      ...bounded.map(([boundary, count]) => one("_bucket", count, ["le", numberOf(boundary)])),
      one("_bucket", state.count, ["le", "+Inf"]),
      one("_sum", state.sum),
      one("_count", state.count)
    ]]
  }
  if (MetricState.isSummaryState(state)) {
    return ["summary", [
      ...state.quantiles.map(([quantile, value]) =>
        one("", Option.getOrElse(value, () => Number.NaN), ["quantile", numberOf(quantile)])
      ),
      one("_sum", state.sum),
      one("_count", state.count)
    ]]
  }
  return MetricState.isGaugeState(state) ? ["gauge", [one("", state.value)]] : ["gauge", []]
}

const lines = (name: string, { help, kind, samples }: Family): ReadonlyArray<string> => [
  ...(help === "" ? [] : [`# HELP ${name} ${escaped(help)}`]),
  `# TYPE ${name} ${kind}`,
  ...samples.map(({ labels, suffix, value }) => {
    const text = labels.map(([label, of]) => `${labelNameOf(label)}=${quoted(of)}`).join(",")
    return `${name}${suffix}${text === "" ? "" : `{${text}}`} ${numberOf(value)}`
  })
]

/** In Prometheus' text format 0.0.4, where a counter's name ends with `_total` and one family's samples stand together. */
export const prometheusText = (pairs: ReadonlyArray<Pair>): string => {
  const families = new Map<string, Family>()
  for (const pair of pairs) {
    const { description, name, tags } = pair.metricKey
    const unit = tags.find(({ key }) => key === "unit" || key === "time_unit")
    const labels = tags.flatMap(({ key, value }): Labels => unit?.key === key ? [] : [[key, value]])
    const [kind, samples] = samplesOf(pair, labels)
    const base = nameOf(name) + (units[unit?.value ?? ""] ?? "")
    const full = kind === "counter" && !base.endsWith("_total") ? `${base}_total` : base
    const family = families.get(full) ?? { kind, help: Option.getOrElse(description, () => ""), samples: [] }
    family.samples.push(...samples)
    families.set(full, family)
  }
  const sorted = [...families].sort(([one], [other]) => one < other ? -1 : 1)
  return sorted.flatMap(([name, family]) => lines(name, family)).map((line) => `${line}\n`).join("")
}
