/** The instruments. */
import { Metric, MetricBoundaries, MetricLabel } from "effect"
import type { FellBack, RouteEnded, RouteEvent, RouterEvent } from "../RouterEvent.ts"
import type { StatusReport } from "../Status.ts"
import { gauges } from "./gauges.ts"
import { counted, type Labels, overflow, remembered, series } from "./series.ts"

/** As the semantic conventions of generative AI name them (open-telemetry/semantic-conventions-genai). */
const secondsBuckets = MetricBoundaries.fromIterable(Array.from({ length: 14 }, (_, index) => 0.01 * 2 ** index))
const tokenBuckets = MetricBoundaries.fromIterable(Array.from({ length: 14 }, (_, index) => 4 ** index))

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
  failures: counted(
    counter("route_llm.state.failures", "Faults of the state's store."),
    ["operation", "reason"],
    shared
  ),
  recoveries: counted(counter("route_llm.state.recoveries", "Times that the state's store came back."), [], shared),
  away: counted(Metric.gauge("route_llm.state.away", { description: "1 while the shared state is away." }), [], shared)
})

/** One router's instruments. `shared` goes on each, so that those of two routers can be told apart. */
export const makeMeters = (shared: Labels) => {
  const attempt = attemptMeters(shared)
  const route = routeMeters(shared)
  const state = stateMeters(shared)
  const reported = gauges(shared)
  return {
    attempt,
    report: (report: StatusReport): void => {
      state.away(report.state === undefined ? 0 : 1)
      reported(report)
    },
    /** The router closes: its gauges are 0 from then on. */
    end: (): void => {
      state.away(0)
      reported({ providers: [], waiting: { high: 0, normal: 0, low: 0 } })
    },
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
          state.failures(1, event.operation, event.reason)
          // Where requests fail from now on, so do the reports.
          if (event.policy !== undefined) state.away(1)
          return
        case "StateRecovered":
          state.recoveries(1)
          return state.away(0)
      }
    }
  }
}
