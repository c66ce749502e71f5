/**
 * What a router measures, as Effect metrics: whatever reads Effect's metrics exports them, `@effect/opentelemetry` for
 * one, and `prometheus` renders them for a scrape. They are always kept; a call costs them about a microsecond.
 *
 * By OpenTelemetry's conventions for generative AI, one measurement a call to a provider:
 * - `gen_ai.client.operation.duration`, seconds; a call that failed has its class as `error.type`;
 * - `gen_ai.client.operation.time_to_first_chunk`, seconds, of streamed calls;
 * - `gen_ai.client.token.usage`, by `gen_ai.token.type`, where the vendor reported it.
 *
 * `gen_ai.provider.name` is the provider's name in the router. Of the router itself:
 * - counters `route_llm.requests` (outcome, lane), `route_llm.attempts` (provider, outcome, reason),
 *   `route_llm.fallbacks` (from, to, because), `route_llm.circuit.moves` (provider, from, to), `route_llm.benches`
 *   (provider, because), `route_llm.limits.learned` (provider, dimension), `route_llm.state.failures` (operation,
 *   reason) and `route_llm.state.recoveries`;
 * - histograms `route_llm.request.duration` (outcome, lane) and `route_llm.wait.duration` (lane), seconds;
 * - gauges, as of the last `Router.report`: `route_llm.limit` and `route_llm.limit.used` (provider, dimension),
 *   `route_llm.headroom`, `route_llm.in_flight` and `route_llm.benched` (provider), `route_llm.circuit.state` (provider,
 *   state), `route_llm.waiting` (lane), and `route_llm.state.away`, which follows the state's events too.
 *
 * Effect's registry is one a process. Two routers in it are told apart by the labels in force where their layers are
 * built: `RouterLive.pipe(Layer.locally(FiberRef.currentMetricLabels, [MetricLabel.make("router", "eu")]))`. A metric has
 * at most 1,000 sets of labels a router; what comes beyond is counted together as `otel.metric.overflow`. Once a router's
 * layer is closed its gauges are 0.
 *
 * @since 0.1.0
 */
import { type Duration, Effect, Layer, Metric, type MetricPair, Schedule } from "effect"
import { prometheusText } from "./internal/prometheus.ts"
import { Router } from "./Router.ts"

/** The content type of what `prometheus` renders. @since 0.1.0 */
export const prometheusContentType = "text/plain; version=0.0.4; charset=utf-8"

const prefixes = ["route_llm.", "gen_ai.client."]

/**
 * The router's metrics in Prometheus' text format, its gauges as they stand now: dots are underscores, counters end
 * with `_total`, times with `_seconds`. Of a router with labels of its own nobody else's are among them.
 *
 * @since 0.1.0
 */
export const prometheus: Effect.Effect<string, never, Router> = Effect.gen(function*() {
  const { metricLabels, report } = yield* Router
  yield* report
  const isOwn = ({ metricKey: { name, tags } }: MetricPair.MetricPair.Untyped): boolean =>
    prefixes.some((prefix) => name.startsWith(prefix))
    && metricLabels.every(({ key, value }) => tags.some((tag) => tag.key === key && tag.value === value))
  return prometheusText((yield* Metric.snapshot).filter(isOwn))
})

/**
 * Sets the gauges over and over while the layer is there, for an exporter that reads them by itself; `every` is 10
 * seconds unless told. `prometheus` needs it not.
 *
 * @since 0.1.0
 */
export const layerGauges = (
  options: { readonly every?: Duration.DurationInput } = {}
): Layer.Layer<never, never, Router> =>
  Layer.scopedDiscard(
    Effect.flatMap(Router, ({ report }) =>
      Effect.sandbox(report).pipe(
        Effect.ignoreLogged,
        Effect.repeat(Schedule.spaced(options.every ?? "10 seconds")),
        Effect.forkScoped
      ))
  )
