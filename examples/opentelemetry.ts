/**
 * Metrics and spans by OpenTelemetry's conventions for generative AI. The router keeps Effect's metrics by itself, and
 * makes spans where `tracing` asks for them; `@effect/opentelemetry` hands both to whatever exporter there is. Here it
 * is one that prints; an OTLP exporter takes its place in the same lines. Scripted providers stand in for the vendors.
 */
import { NodeSdk } from "@effect/opentelemetry"
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  PeriodicExportingMetricReader
} from "@opentelemetry/sdk-metrics"
import { InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base"
import { Router, RouterMetrics } from "@route-llm/core"
import { failure, RouterTest } from "@route-llm/core/testing"
import { Console, Effect, Layer } from "effect"

const spans = new InMemorySpanExporter()
const metrics = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
const reader = new PeriodicExportingMetricReader({ exporter: metrics })

const Telemetry = NodeSdk.layer(() => ({
  resource: { serviceName: "poems" },
  spanProcessor: new SimpleSpanProcessor(spans),
  metricReader: reader
}))

const Live = RouterMetrics.layerGauges().pipe(
  Layer.provideMerge(RouterTest.layer(
    { openai: { weight: 9, rpm: 500, script: [failure("overloaded")] }, anthropic: { rpm: 50 } },
    { tracing: true }
  )),
  Layer.provideMerge(Telemetry)
)

const program = Effect.gen(function*() {
  const router = yield* Router
  yield* router.chat({ messages: [{ role: "user", content: "A poem, please" }], sessionId: "user-42" })
  yield* Effect.promise(() => reader.forceFlush())

  const ended = spans.getFinishedSpans()
  for (const { attributes, name, parentSpanContext } of ended) {
    const parent = ended.find((span) => span.spanContext().spanId === parentSpanContext?.spanId)
    const under = parent === undefined ? "" : `, under ${parent.name}`
    yield* Console.log(`span ${name}: ${String(attributes["error.type"] ?? "ok")}${under}`)
  }

  const shown = new Set([
    "gen_ai.client.operation.duration",
    "gen_ai.client.token.usage",
    "route_llm.fallbacks",
    "route_llm.limit"
  ])
  const exported = metrics.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics))
  for (const { dataPoints, descriptor } of exported.filter((metric) => shown.has(metric.descriptor.name))) {
    for (const { attributes } of dataPoints) {
      const { unit: _, ...labels } = attributes
      yield* Console.log(`${descriptor.name} [${descriptor.unit}] ${Object.values(labels).join(", ")}`)
    }
  }
})

await Effect.runPromise(Effect.provide(program, Live))
