/**
 * The instruments. Effect's metrics live in one registry a process; those of one set of labels are looked up once and
 * kept together here, so that an event costs one lookup and some additions, about a microsecond.
 */
import { Metric, MetricBoundaries, MetricLabel, Record } from "effect"
import type { FellBack, RouteEnded, RouteEvent, RouterEvent } from "../RouterEvent.ts"
import type { CircuitState, LimitStatus, ProviderStatus, StatusReport } from "../Status.ts"

/** Sets of labels of one metric; what comes beyond is counted together, as OpenTelemetry bounds it. */
const mostSeries = 1_000

const overflow = "otel.metric.overflow"
const overflowLabels = [MetricLabel.make(overflow, "true")]

/** As the semantic conventions of generative AI name them (open-telemetry/semantic-conventions-genai). */
const secondsBuckets = MetricBoundaries.fromIterable(Array.from({ length: 14 }, (_, index) => 0.01 * 2 ** index))
const tokenBuckets = MetricBoundaries.fromIterable(Array.from({ length: 14 }, (_, index) => 4 ** index))

type Labels = ReadonlyArray<MetricLabel.MetricLabel>

type Values = ReadonlyArray<string | undefined>
type Update = (amount: number) => void

const none: Labels = []

/** A metric by the values of its labels, in the order of their names; one that is absent has no label. */
const series =
  <Type, Out>(metric: Metric.Metric<Type, number, Out>, names: ReadonlyArray<string>, shared: Labels) =>
  (...values: Values): Update => {
    const isOverflow = values[0] === overflow
    const own = values.flatMap((value, index) => value === undefined ? [] : MetricLabel.make(names[index]!, value))
    // It enters the registry with its first update.
    const labelled = Metric.taggedWithLabels(metric, [...shared, ...(isOverflow ? overflowLabels : own)])
    return (amount) => labelled.unsafeUpdate(amount, none)
  }

/** What is updated together: made once for each key, and beyond `mostSeries` keys once for all of them. */
const remembered = <A>() => {
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
const counted = <Type, Out>(metric: Metric.Metric<Type, number, Out>, names: ReadonlyArray<string>, shared: Labels) => {
  const labelled = series(metric, names, shared)
  const updates = remembered<Update>()
  return (amount: number, ...values: Values): void =>
    updates(values.join("\n"), (isOverflow) => isOverflow ? labelled(overflow) : labelled(...values))(amount)
}

const genAi = ["gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.model"]

const inSeconds = MetricLabel.make("unit", "s")
const inTokens = MetricLabel.make("unit", "{token}")

const counter = (name: string, description: string) => Metric.counter(name, { description, incremental: true })

const seconds = (name: string, description: string) => Metric.histogram(name, secondsBuckets, description)

/** What is known of an attempt beside its event. */
export interface AttemptFacts {
  /** The model that was asked for. */
  readonly requestModel: string
  /** The vendor has told the tokens; only then they are a measurement. */
  readonly isReported: boolean
}

const attemptMeters = (shared: Labels) => {
  const timed = [...shared, inSeconds]
  const duration = series(
    seconds("gen_ai.client.operation.duration", "Time of one call to a provider."),
    [...genAi, "error.type"],
    timed
  )
  const firstChunk = series(
    seconds(
      "gen_ai.client.operation.time_to_first_chunk",
      "Time from a streamed call to the first content of its answer."
    ),
    genAi,
    timed
  )
  const tokens = series(
    Metric.histogram("gen_ai.client.token.usage", tokenBuckets, "Tokens of one call, as its provider reported them."),
    [...genAi, "gen_ai.token.type"],
    [...shared, inTokens]
  )
  const attempts = series(
    counter("route_llm.attempts", "Calls to providers that ended."),
    ["provider", "outcome", "reason"],
    shared
  )
  const make = ({ model, outcome, provider, reason }: RouteEvent, requestModel: string) => {
    // An answer names its model; a failure does not.
    const labels = ["chat", provider, requestModel, outcome === "success" ? model : undefined] as const
    return {
      duration: duration(...labels, outcome === "success" ? undefined : outcome),
      firstChunk: firstChunk(...labels),
      input: tokens(...labels, "input"),
      output: tokens(...labels, "output"),
      attempts: attempts(provider, outcome, reason)
    }
  }
  const rest = () => ({
    duration: duration(overflow),
    firstChunk: firstChunk(overflow),
    input: tokens(overflow),
    output: tokens(overflow),
    attempts: attempts(overflow)
  })
  const known = remembered<ReturnType<typeof make>>()
  return (event: RouteEvent, { isReported, requestModel }: AttemptFacts): void => {
    const key = `${event.provider}\n${event.outcome}\n${event.reason}\n${requestModel}\n${event.model}`
    const meters = known(key, (isOverflow) => isOverflow ? rest() : make(event, requestModel))
    meters.attempts(1)
    meters.duration(event.latencyMs / 1_000)
    if (event.firstTokenMs !== undefined) meters.firstChunk(event.firstTokenMs / 1_000)
    if (!isReported) return
    meters.input(event.inputTokens)
    meters.output(event.outputTokens)
  }
}

const routeMeters = (shared: Labels) => {
  const names = ["outcome", "lane"]
  const timed = [...shared, inSeconds]
  const requests = series(counter("route_llm.requests", "Requests that ended."), names, shared)
  const duration = series(
    seconds("route_llm.request.duration", "Time of a request with all it took."),
    names,
    timed
  )
  const waits = series(seconds("route_llm.wait.duration", "Time that a request waited in line."), ["lane"], timed)
  const make = ({ outcome, priority }: RouteEnded) => ({
    requests: requests(outcome, priority),
    duration: duration(outcome, priority),
    waits: waits(priority)
  })
  // A few outcomes in three lanes: no overflow.
  const known = remembered<ReturnType<typeof make>>()
  const fallbacks = counted(
    counter("route_llm.fallbacks", "Calls made after another of the same request had failed."),
    ["from", "to", "because"],
    shared
  )
  return {
    ended: (event: RouteEnded): void => {
      const meters = known(`${event.outcome}\n${event.priority}`, () => make(event))
      meters.requests(1)
      meters.duration(event.latencyMs / 1_000)
      meters.waits(event.waitedMs / 1_000)
    },
    fellBack: ({ because, from, to }: FellBack): void => fallbacks(1, from, to, because)
  }
}

const stateMeters = (shared: Labels) => ({
  circuits: counted(
    counter("route_llm.circuit.moves", "Moves of circuit breakers."),
    ["provider", "from", "to"],
    shared
  ),
  benches: counted(counter("route_llm.benches", "Providers set aside."), ["provider", "because"], shared),
  limits: counted(counter("route_llm.limits.learned", "Limits learned."), ["provider", "dimension"], shared),
  failures: counted(counter("route_llm.state.failures", "Faults of the state's store."), ["operation"], shared)
})

/** What of a provider is shown in gauges. */
interface Named extends Pick<ProviderStatus, "headroomPct" | "inFlight" | "benchedBecause"> {
  readonly name: string
  readonly circuit: CircuitState | undefined
  readonly limits: Readonly<Record<string, Omit<LimitStatus, "learned"> | undefined>>
}

/** What a report says, as gauges. */
const gauges = (shared: Labels) => {
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
  /** Of one that has left nothing is taken back: its gauges are 0 from then on. */
  const left = ({ limits, name }: Named): Named => ({
    name,
    headroomPct: 0,
    inFlight: 0,
    benchedBecause: undefined,
    circuit: undefined,
    limits: Record.map(limits, () => ({ used: 0, limit: 0 }))
  })
  let before: ReadonlyArray<Named> = []
  return (report: StatusReport): void => {
    for (const lane of lanes) waiting(report.waiting[lane], lane)
    const gone = before.filter(({ name }) => !report.providers.some((provider) => provider.name === name))
    before = report.providers
    for (const provider of [...report.providers, ...gone.map(left)]) {
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

/** One router's instruments. `shared` goes on each, so that those of two routers can be told apart. */
export const makeMeters = (shared: Labels) => {
  const attempt = attemptMeters(shared)
  const route = routeMeters(shared)
  const state = stateMeters(shared)
  return {
    attempt,
    report: gauges(shared),
    /** All events but the end of an attempt. */
    event: (event: Exclude<RouterEvent, RouteEvent>): void => {
      switch (event._tag) {
        case "RouteEnded":
          return route.ended(event)
        case "FellBack":
          return route.fellBack(event)
        case "CircuitMoved":
          return state.circuits(1, event.provider, event.from, event.to)
        case "Benched":
          return state.benches(1, event.provider, event.because)
        case "LimitLearned":
          return state.limits(1, event.provider, event.dimension)
        case "StateFailed":
          return state.failures(1, event.operation ?? event.reason)
      }
    }
  }
}
