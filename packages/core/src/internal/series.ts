/**
 * A metric's series, by the values of their labels. Effect's metrics live in one registry a process; those of one set of
 * labels are looked up once and kept together here, so that an event costs one lookup and some additions, about a
 * microsecond.
 */
import { Metric, MetricLabel } from "effect"

/** Sets of labels of one metric; what comes beyond is counted together, as OpenTelemetry bounds it. */
const mostSeries = 1_000

export const overflow = "otel.metric.overflow"
const overflowLabels = [MetricLabel.make(overflow, "true")]

export type Labels = ReadonlyArray<MetricLabel.MetricLabel>

type Values = ReadonlyArray<string | undefined>
type Update = (amount: number) => void

const none: Labels = []

/** A metric by the values of its labels, in the order of their names; one that is absent has no label. */
export const series =
  <Type, Out>(metric: Metric.Metric<Type, number, Out>, names: ReadonlyArray<string>, shared: Labels) =>
  (...values: Values): Update => {
    const isOverflow = values[0] === overflow
    const own = values.flatMap((value, index) => value === undefined ? [] : MetricLabel.make(names[index]!, value))
    // It enters the registry with its first update.
    const labelled = Metric.taggedWithLabels(metric, [...shared, ...(isOverflow ? overflowLabels : own)])
    return (amount) => labelled.unsafeUpdate(amount, none)
  }

/** What is updated together: made once for each key, and beyond `mostSeries` keys once for all of them. */
export const remembered = <A>() => {
  const known = new Map<string, A>()
  return (key: string, make: (isOverflow: boolean) => A): A => {
    const found = known.get(key)
    if (found !== undefined) return found
    if (known.size < mostSeries) {
      const made = make(false)
      known.set(key, made)
      return made
    }
    const rest = known.get(overflow) ?? make(true)
    known.set(overflow, rest)
    return rest
  }
}

/** Most events update one or a few series of one metric. */
export const counted = <Type, Out>(
  metric: Metric.Metric<Type, number, Out>,
  names: ReadonlyArray<string>,
  shared: Labels
) => {
  const labelled = series(metric, names, shared)
  const updates = remembered<Update>()
  return (amount: number, ...values: Values): void =>
    updates(values.join("\n"), (isOverflow) => isOverflow ? labelled(overflow) : labelled(...values))(amount)
}
