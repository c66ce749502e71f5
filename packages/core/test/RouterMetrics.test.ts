import { expect, it } from "@effect/vitest"
import {
  type Limits,
  ProviderRegistry,
  Router,
  RouterMetrics,
  RouterState,
  type RouterStateService,
  type StateChange
} from "@route-llm/core"
import { failure, pieces, RouterTest } from "@route-llm/core/testing"
import { Effect, Fiber, FiberRef, Layer, Metric, MetricLabel, Stream, TestClock } from "effect"
import { describe } from "vitest"
import { makeMeters } from "../src/internal/metrics.ts"
import { prometheusText } from "../src/internal/prometheus.ts"
import type { RouteEvent } from "../src/RouterEvent.ts"
import { chat, hello } from "./heard.ts"
import { read } from "./streams.ts"

/** Effect's metrics live in one registry a process; each test here finds its own by this label. */
const labelled = (router: string) =>
  FiberRef.currentMetricLabels.pipe((ref) => Layer.locally(ref, [MetricLabel.make("router", router)]))

const on = (router: string, ...given: Parameters<typeof RouterTest.layer>) =>
  Effect.provide(labelled(router)(RouterTest.layer(...given)))

/** The samples of one router, without its label. */
const samplesOf = (text: string, router: string): ReadonlyArray<string> =>
  text.split("\n").filter((line) => line.includes(`router="${router}"`)).map((line) =>
    line.replace(`router="${router}",`, "").replace(`{router="${router}"}`, "")
  )

const scraped = (router: string) => Effect.map(RouterMetrics.prometheus, (text) => samplesOf(text, router))

const starting = (samples: ReadonlyArray<string>, start: string) => samples.filter((line) => line.startsWith(start))

describe("prometheus", () => {
  it.effect("has what the router has done, by OpenTelemetry's names", () =>
    Effect.gen(function*() {
      const asked = yield* Effect.fork(chat({ priority: "high" }))
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(asked)
      yield* read()
      const samples = yield* scraped("names")
      const a = `gen_ai_operation_name="chat",gen_ai_provider_name="a",gen_ai_request_model="a-model"`
      const b = a.replaceAll("a\"", "b\"").replaceAll("a-", "b-")
      expect(samples).toEqual(expect.arrayContaining([
        `gen_ai_client_operation_duration_seconds_count{${a},error_type="overloaded"} 1`,
        `gen_ai_client_operation_duration_seconds_sum{${a},error_type="overloaded"} 2`,
        `gen_ai_client_operation_duration_seconds_bucket{${a},error_type="overloaded",le="1.28"} 0`,
        `gen_ai_client_operation_duration_seconds_bucket{${a},error_type="overloaded",le="2.56"} 1`,
        `gen_ai_client_operation_duration_seconds_bucket{${a},error_type="overloaded",le="+Inf"} 1`,
        `gen_ai_client_operation_duration_seconds_count{${b},gen_ai_response_model="b-model"} 1`,
        `gen_ai_client_token_usage_sum{${b},gen_ai_response_model="b-model",gen_ai_token_type="input"} 10`,
        `gen_ai_client_token_usage_sum{${b},gen_ai_response_model="b-model",gen_ai_token_type="output"} 10`,
        `gen_ai_client_operation_time_to_first_chunk_seconds_sum{${a},gen_ai_response_model="a-model"} 3`,
        `route_llm_requests_total{outcome="success",lane="high"} 1`,
        `route_llm_requests_total{outcome="success",lane="normal"} 1`,
        `route_llm_attempts_total{provider="a",outcome="overloaded",reason="ranked"} 1`,
        `route_llm_attempts_total{provider="b",outcome="success",reason="only"} 1`,
        `route_llm_fallbacks_total{from="a",to="b",because="overloaded"} 1`,
        `route_llm_request_duration_seconds_sum{outcome="success",lane="high"} 2`,
        `route_llm_limit{provider="a",dimension="requests"} 10`,
        `route_llm_limit_used{provider="a",dimension="requests"} 2`,
        `route_llm_headroom{provider="a"} 0.8`,
        `route_llm_circuit_state{provider="b",state="closed"} 1`,
        `route_llm_circuit_state{provider="b",state="open"} 0`,
        `route_llm_in_flight{provider="a"} 0`,
        `route_llm_waiting{lane="low"} 0`
      ]))
      // An attempt that was not answered has no tokens, and one that was not streamed no first chunk.
      expect(starting(samples, `gen_ai_client_token_usage_count{${a},error_type`)).toEqual([])
      expect(starting(samples, `gen_ai_client_operation_time_to_first_chunk_seconds_count{${b}`)).toEqual([])
    }).pipe(on("names", {
      a: {
        weight: 9,
        rpm: 10,
        latency: "2 seconds",
        script: [failure("overloaded"), pieces(["x", "y"], { every: "1 second" })]
      },
      b: {}
    })))

  it.effect("has circuits, benches, and 0 for a provider that has left", () =>
    Effect.gen(function*() {
      const router = yield* Router
      const { providers, register } = yield* ProviderRegistry
      yield* router.forceOpen("a")
      yield* Effect.flip(chat({ maxAttempts: 1 }))
      const [, b] = yield* providers
      yield* Effect.scoped(Effect.gen(function*() {
        yield* register({ ...b!, name: "guest", limits: { requests: 7 } })
        expect(yield* scraped("left")).toEqual(expect.arrayContaining([
          `route_llm_limit{provider="guest",dimension="requests"} 7`,
          `route_llm_headroom{provider="guest"} 1`,
          `route_llm_benched{provider="b"} 1`,
          `route_llm_circuit_state{provider="a",state="open"} 1`
        ]))
      }))
      yield* TestClock.adjust(0)
      const samples = yield* scraped("left")
      expect(starting(samples, "route_llm_benches")).toEqual([
        `route_llm_benches_total{provider="b",because="quota"} 1`
      ])
      expect(starting(samples, "route_llm_circuit_moves")).toEqual([
        `route_llm_circuit_moves_total{provider="a",from="closed",to="open"} 1`
      ])
      expect(samples.filter((line) => line.includes("guest")).map((line) => line.split(" ")[1])).toEqual(
        Array<string>(8).fill("0")
      )
    }).pipe(on("left", { a: {}, b: { script: [failure("quota")] } })))

  it.effect("has 0 for a limit that has ended while its provider stays", () =>
    Effect.gen(function*() {
      const { providers, register } = yield* ProviderRegistry
      const [a] = yield* providers
      const guest = (limits: Limits) => register({ ...a!, name: "guest", limits })
      const limits = Effect.map(scraped("ended"), (samples) =>
        samples.filter((line) => line.startsWith("route_llm_limit") && line.includes("guest")))
      yield* Effect.scoped(Effect.zipRight(guest({ requests: 7, tokens: 500 }), limits))
      yield* guest({ requests: 7 })
      expect(yield* limits).toEqual([
        `route_llm_limit{provider="guest",dimension="requests"} 7`,
        `route_llm_limit{provider="guest",dimension="tokens"} 0`,
        `route_llm_limit_used{provider="guest",dimension="requests"} 0`,
        `route_llm_limit_used{provider="guest",dimension="tokens"} 0`
      ])
    }).pipe(Effect.scoped, on("ended", { a: {} })))

  it.effect("counts the store's faults by what it was asked for and by their reason, and its returns", () => {
    const told: ReadonlyArray<StateChange> = [
      { _tag: "StateFailed", reason: "unreachable", message: "gone", policy: "closed", atMs: 7 },
      { _tag: "StateRecovered", afterMs: 1_500, atMs: 8 }
    ]
    const later = Stream.tap(Stream.fromIterable(told), () => Effect.sleep("1 second"))
    const Away = Layer.effect(
      RouterState,
      Effect.map(RouterState, (state): RouterStateService => ({
        ...state,
        changes: later,
        explain: () => Effect.die("broken")
      }))
    ).pipe(Layer.provide(RouterState.layerMemory))
    return Effect.gen(function*() {
      yield* Effect.flip((yield* Router).explain(hello))
      const away = () =>
        samplesOf(prometheusText(Metric.unsafeSnapshot()), "faults").filter((line) =>
          line.startsWith("route_llm_state_away")
        )
      yield* TestClock.adjust("1 second")
      expect(away()).toEqual(["route_llm_state_away 1"])
      yield* TestClock.adjust("1 second")
      expect(away()).toEqual(["route_llm_state_away 0"])
      const samples = yield* scraped("faults")
      expect([...starting(samples, "route_llm_state_failures_total")].sort()).toEqual([
        `route_llm_state_failures_total{operation="explain",reason="fault"} 1`,
        `route_llm_state_failures_total{reason="unreachable"} 1`
      ])
      expect(starting(samples, "route_llm_state_recoveries_total")).toEqual(["route_llm_state_recoveries_total 1"])
    }).pipe(on("faults", { a: {} }, {}, Away))
  })

  it.effect("has nothing of another router with other labels", () =>
    Effect.gen(function*() {
      const scrape = Effect.zipRight(chat(), RouterMetrics.prometheus)
      const one = yield* scrape.pipe(on("one", { a: {} }))
      const two = yield* scrape.pipe(Effect.repeatN(1), on("two", { a: {} }))
      const requests = (text: string) => starting(text.split("\n"), "route_llm_requests_total")
      expect(requests(one)).toEqual([`route_llm_requests_total{router="one",outcome="success",lane="normal"} 1`])
      expect(requests(two)).toEqual([`route_llm_requests_total{router="two",outcome="success",lane="normal"} 2`])
    }))

  it.effect("leaves no figure in the gauges of a router that is closed", () =>
    Effect.gen(function*() {
      const left = () =>
        samplesOf(prometheusText(Metric.unsafeSnapshot()), "closed").filter((line) =>
          /^route_llm_(limit|headroom|circuit_state)/.test(line) && !line.endsWith(" 0")
        ).length
      yield* Effect.map(scraped("closed"), () => expect(left()).toBe(3)).pipe(on("closed", { a: { rpm: 10 } }))
      expect(left()).toBe(0)
    }))

  it.effect("tells the gauges to whoever reads them by himself, over and over", () =>
    Effect.gen(function*() {
      const text = () => samplesOf(prometheusText(Metric.unsafeSnapshot()), "polled")
      yield* TestClock.adjust(0)
      expect(text()).toContain(`route_llm_limit_used{provider="a",dimension="requests"} 0`)
      yield* chat()
      expect(text()).toContain(`route_llm_limit_used{provider="a",dimension="requests"} 0`)
      yield* TestClock.adjust("5 seconds")
      expect(text()).toContain(`route_llm_limit_used{provider="a",dimension="requests"} 1`)
    }).pipe(Effect.provide(
      RouterMetrics.layerGauges({ every: "5 seconds" }).pipe(
        Layer.provideMerge(labelled("polled")(RouterTest.layer({ a: { rpm: 10 } })))
      )
    )))
})

describe("the text format", () => {
  const own = (name: string) =>
    prometheusText(Metric.unsafeSnapshot().filter(({ metricKey }) => metricKey.name.startsWith(name)))

  it.effect("escapes what users name, and knows every kind of metric", () =>
    Effect.gen(function*() {
      const hostile = Metric.counter("text.hostile", { description: "a\\b\nc", incremental: true }).pipe(
        Metric.tagged("what \"ever", "say \"hi\"\\\n{x=\"y\"}")
      )
      yield* Metric.update(hostile, 2)
      expect(own("text.hostile")).toBe([
        "# HELP text_hostile_total a\\\\b\\nc",
        "# TYPE text_hostile_total counter",
        "text_hostile_total{what__ever=\"say \\\"hi\\\"\\\\\\n{x=\\\"y\\\"}\"} 2",
        ""
      ].join("\n"))
      yield* Metric.update(Metric.frequency("text.words"), "yes")
      yield* Metric.set(Metric.gauge("text.level"), -1.5)
      yield* Metric.update(Metric.counter("text.updown"), -3)
      yield* Metric.update(
        Metric.summary({ name: "text.quantiles", maxAge: "1 minute", maxSize: 10, error: 0, quantiles: [0.5] }),
        4
      )
      expect(own("text.words")).toContain("text_words_total{key=\"yes\"} 1\n")
      expect(own("text.level")).toBe("# TYPE text_level gauge\ntext_level -1.5\n")
      expect(own("text.updown")).toBe("# TYPE text_updown gauge\ntext_updown -3\n")
      expect(own("text.quantiles")).toContain("text_quantiles{quantile=\"0.5\"} 4\ntext_quantiles_sum 4\n")
    }))
})

describe("a metric's sets of labels", () => {
  it("are bounded, whatever a vendor calls its models", () => {
    const { attempt } = makeMeters([MetricLabel.make("router", "bounded")])
    const event: RouteEvent = {
      _tag: "RouteEvent",
      outcome: "success",
      provider: "a",
      model: "m",
      reason: "ranked",
      inputTokens: 1,
      outputTokens: 1,
      latencyMs: 1,
      waitedMs: 0,
      headroomPct: 100,
      circuitOpen: false,
      timestamp: 0,
      attemptNumber: 1,
      priority: "normal"
    }
    for (let model = 0; model < 1_500; model++) {
      attempt({ ...event, model: `m${model}` }, { requestModel: "m", isReported: false })
    }
    const counted = Metric.unsafeSnapshot().filter(({ metricKey }) =>
      metricKey.name === "gen_ai.client.operation.duration"
      && metricKey.tags.some(({ value }) => value === "bounded")
    )
    expect(counted).toHaveLength(1_001)
    const overflow = counted.find(({ metricKey }) => metricKey.tags.some(({ key }) => key === "otel.metric.overflow"))
    expect(overflow?.metricState).toMatchObject({ count: 500 })
  })
})
