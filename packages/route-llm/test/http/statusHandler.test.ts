import { Explanation, RouterEvent, StatusReport } from "@route-llm/core"
import { Effect, Schema } from "effect"
import type { LLMRouter } from "route-llm"
import { describe, expect, it } from "vitest"
import { hello, makeApp, promised, readFrames, run } from "./support.ts"

type Handler = (request: Request) => Promise<Response>

const get = (handler: Handler, path: string) => promised(() => handler(new Request(`http://app.test${path}`)))

const post = (handler: Handler, path: string, body: string) =>
  promised(() => handler(new Request(`http://app.test${path}`, { method: "POST", body })))

const json = (response: Response) => promised(() => response.json())

describe("statusHandler", () => {
  it("answers /status with a report that its schema takes, wherever it is mounted", () =>
    run(Effect.gen(function*() {
      const { router } = yield* makeApp()
      yield* promised(() => router.chat(hello))
      const { statusHandler } = router
      for (const path of ["/status", "/api/llm/status", "/status/", "/llm/status?pretty"]) {
        const response = yield* get(statusHandler, path)
        expect([path, response.status]).toEqual([path, 200])
        expect(response.headers.get("content-type")).toMatch(/^application\/json/)
        expect(response.headers.get("cache-control")).toBe("no-store")
        const read = Schema.decodeUnknownSync(StatusReport, { onExcessProperty: "error" })
        const report = read(yield* json(response))
        expect(report).toMatchObject({
          version: 1,
          providers: [{ name: "openai", rpmUsed: 1, rpmLimit: 100, tpmLimit: 10_000, circuit: "closed" }],
          waiting: { high: 0, normal: 0, low: 0 },
          totals: { requests: 1, served: 1, failed: 0, fallbacks: 0, outputTokens: 3 }
        })
      }
    })))

  it("tells of what it does not have, and takes nothing but a look", () =>
    run(Effect.gen(function*() {
      const { router } = yield* makeApp()
      const missing = yield* get(router.statusHandler, "/llm/keys")
      expect([missing.status, yield* json(missing)]).toMatchObject([404, { error: { _tag: "NotFound" } }])
      for (
        const [method, path, allow] of [
          ["POST", "/llm/status", "GET, HEAD"],
          ["DELETE", "/events", "GET, HEAD"],
          ["PUT", "/explain", "GET, HEAD, POST"],
          ["OPTIONS", "/metrics", "GET, HEAD"]
        ] as const
      ) {
        const wrong = yield* promised(() => router.statusHandler(new Request(`http://app.test${path}`, { method })))
        expect([method, wrong.status, wrong.headers.get("allow"), yield* json(wrong)]).toMatchObject([
          method,
          405,
          allow,
          { error: { _tag: "MethodNotAllowed" } }
        ])
      }
      expect(yield* post(router.statusHandler, "/llm/keys", "{}")).toMatchObject({ status: 404 })
      const head = yield* promised(() =>
        router.statusHandler(new Request("http://app.test/status", { method: "HEAD" }))
      )
      expect([head.status, yield* promised(() => head.text())]).toEqual([200, ""])
    })))

  it("streams a status at once, then the events in order, each as its schema has it", () =>
    run(Effect.gen(function*() {
      const { router, vendor } = yield* makeApp()
      const response = yield* get(router.statusHandler, "/events")
      expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8")
      expect(response.headers.get("x-accel-buffering")).toBe("no")
      const frames = readFrames(response)
      const first = yield* promised(() => frames.next())
      expect(first?.event).toBe("status")
      expect(Schema.is(StatusReport)(first?.data)).toBe(true)
      expect(frames.others).toEqual(["retry: 2000"])

      yield* vendor.fail({ kind: "overloaded" })
      yield* promised(() => router.chat({ ...hello, sessionId: "s", maxAttempts: 1 }).catch(() => "failed"))
      yield* promised(() => router.chat(hello))
      const ended = ({ data, event }: { readonly event: string; readonly data: unknown }) =>
        event === "RouteEnded" && Schema.is(RouterEvent)(data) && data._tag === "RouteEnded" &&
        data.outcome === "success"
      const told = (yield* promised(() => frames.until(ended))).filter(({ event }) => event !== "status")
      for (const { data, event } of told) {
        expect(Schema.decodeUnknownSync(RouterEvent, { onExcessProperty: "error" })(data)._tag).toBe(event)
      }
      expect(told.map(({ data }) => data)).toMatchObject([
        { _tag: "RouteEvent", outcome: "overloaded", provider: "openai", sessionId: "s", reason: "only" },
        { _tag: "RouteEnded", outcome: "AllProvidersFailed", attempts: 1, sessionId: "s" },
        { _tag: "RouteEvent", outcome: "success", provider: "openai", outputTokens: 3 },
        { _tag: "RouteEnded", outcome: "success", provider: "openai", attempts: 1 }
      ])
      yield* promised(() => frames.cancel())
    })))

  it("lets 64 readers follow the events, and one more when one has left", () =>
    run(Effect.gen(function*() {
      const { router } = yield* makeApp()
      const open = get(router.statusHandler, "/events")
      const readers = yield* Effect.all(Array.from({ length: 64 }, () => Effect.map(open, readFrames)))
      yield* Effect.forEach(readers, ({ next }) => promised(() => next()), { discard: true })
      const refused = yield* open
      expect([refused.status, yield* json(refused)]).toMatchObject([503, { error: { _tag: "TooManyReaders" } }])
      yield* promised(() => readers[7]!.cancel())
      // A reader's leaving is heard of a moment later.
      const taken = readFrames(yield* Effect.repeat(open, { until: ({ status }) => status === 200, times: 1_000 }))
      expect(yield* promised(() => taken.next())).toMatchObject({ event: "status" })
      yield* Effect.forEach([taken, ...readers], ({ cancel }) => promised(() => cancel()), { discard: true })
    })), 60_000)

  it("lets 64 in of a hundred that come at once, and tells the others why not", () =>
    run(Effect.gen(function*() {
      const { router } = yield* makeApp()
      const open = get(router.statusHandler, "/events")
      const answers = yield* Effect.all(Array.from({ length: 100 }, () => open), { concurrency: "unbounded" })
      // Who comes when 64 read already is refused at once.
      const letIn = answers.filter(({ status }) => status === 200).map(readFrames)
      expect(letIn.length).toBeGreaterThan(64)
      const first = yield* Effect.forEach(letIn, ({ next }) => promised(() => next()), { concurrency: "unbounded" })
      expect(first.filter((frame) => frame?.event === "status")).toHaveLength(64)
      for (const [index, { next }] of letIn.entries()) {
        if (first[index]?.event === "status") continue
        const reason = "64 readers follow the events already."
        expect(first[index]).toEqual({ event: "unavailable", data: { reason } })
        expect(yield* promised(() => next())).toBeUndefined()
      }
      yield* Effect.forEach(letIn, ({ cancel }) => promised(() => cancel()), { discard: true })
    })), 60_000)

  it("ends the streams when the router closes, and says so from then on", () =>
    run(Effect.gen(function*() {
      const { router } = yield* makeApp()
      const frames = readFrames(yield* get(router.statusHandler, "/events"))
      yield* promised(() => frames.next())
      yield* promised(() => router.close())
      const drain = async (): Promise<string> => (await frames.next()) === undefined ? "ended" : drain()
      expect(yield* promised(drain)).toBe("ended")
      const late = yield* get(router.statusHandler, "/status")
      expect([late.status, yield* json(late)]).toMatchObject([503, { error: { _tag: "RouterClosed" } }])
    })))
})

describe("/explain", () => {
  const read = Schema.decodeUnknownSync(Explanation, { onExcessProperty: "error" })

  it("explains a size and a request, and sends nothing", () =>
    run(Effect.gen(function*() {
      const { router, vendor } = yield* makeApp()
      const bySize = yield* get(router.statusHandler, "/explain?input=2000&maxTokens=100&priority=high")
      const size = read(yield* json(bySize))
      expect(size).toMatchObject({ inputTokens: 2000, lane: "high", chosen: "openai", reason: "only" })
      expect(size.candidates[0]?.needs.outputTokens).toBeLessThanOrEqual(100)

      const whole = read(yield* json(yield* post(router.statusHandler, "/explain", JSON.stringify(hello))))
      expect(whole.chosen).toBe("openai")
      expect(whole.inputTokens).toBeLessThan(50)
      const large = read(yield* json(yield* post(router.statusHandler, "/explain?input=20000", JSON.stringify(hello))))
      expect(large.chosen).toBeUndefined()
      expect(large.candidates[0]?.refusal).toMatchObject({ reason: "too_large", dimension: "tokens", limit: 10_000 })
      expect(yield* vendor.counts).toMatchObject({ received: 0 })
    })))

  it("says what is wrong with a request, without its content", () =>
    run(Effect.gen(function*() {
      const { router } = yield* makeApp()
      const refusal = (path: string, body?: string) =>
        Effect.gen(function*() {
          const response = yield* body === undefined
            ? get(router.statusHandler, path)
            : post(router.statusHandler, path, body)
          const text = yield* promised(() => response.text())
          expect(text).not.toContain("secret")
          return [response.status, JSON.parse(text).error._tag]
        })
      expect(yield* refusal("/explain", JSON.stringify({ messages: "secret" }))).toEqual([400, "InvalidRequest"])
      expect(yield* refusal("/explain", "\"secret\"")).toEqual([400, "InvalidRequest"])
      expect(yield* refusal("/explain", "secret {")).toEqual([400, "Unread"])
      expect(yield* refusal("/explain", "")).toEqual([400, "Unread"])
      expect(yield* refusal("/explain?input=-1")).toEqual([400, "Unread"])
      expect(yield* refusal("/explain?priority=secret")).toEqual([400, "Unread"])
      expect(yield* refusal("/explain?forceProvider=nobody")).toEqual([404, "UnknownProvider"])
      // A second question mark is one of the value's own.
      expect(yield* refusal("/explain?input=5?secret")).toEqual([400, "Unread"])
      expect(yield* refusal("/explain?sessionId=a?&forceProvider=nobody")).toEqual([404, "UnknownProvider"])
      const deep = `${"[".repeat(200_000)}"secret"${"]".repeat(200_000)}`
      for (
        const text of [
          deep,
          `{"messages":${deep}}`,
          `{"messages":[${JSON.stringify(hello.messages[0])}],"tools":${deep}}`
        ]
      ) {
        expect(yield* refusal("/explain", text)).toEqual([400, "InvalidRequest"])
      }
      const long = JSON.stringify({ messages: [{ role: "user", content: "secret ".repeat(1_300_000) }] })
      expect(yield* refusal("/explain", long)).toEqual([413, "Unread"])
    })))
})

it("/metrics has the router's figures in Prometheus' format", () =>
  run(Effect.gen(function*() {
    const { router } = yield* makeApp()
    yield* promised(() => router.chat(hello))
    const response = yield* get(router.statusHandler, "/metrics")
    expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8")
    const lines = (yield* promised(() => response.text())).trimEnd().split("\n")
    const sample = /^[a-z_]+(\{([a-z_]+="[^"]*",?)*\})? (NaN|[-+]?(Inf|[\d.e+-]+))$/
    expect(lines.filter((line) => !line.startsWith("# ") && !sample.test(line))).toEqual([])
    expect(lines).toContainEqual(
      expect.stringMatching(/^route_llm_limit\{.*provider="openai".*dimension="requests".*\} 100$/)
    )
  })))

it("/metrics has the figures of one router of the process, under its name or its number", () =>
  run(Effect.gen(function*() {
    const requests = ({ statusHandler }: LLMRouter) =>
      Effect.map(
        Effect.flatMap(get(statusHandler, "/metrics"), (response) => promised(() => response.text())),
        (text) => /^route_llm_requests_total.*$/m.exec(text)?.[0]
      )
    const counted = (name: string, count: number) =>
      `route_llm_requests_total{router="${name}",outcome="success",lane="normal"} ${count}`
    const one = yield* makeApp({ name: "metrics of one" })
    const other = yield* makeApp({ name: "metrics of the other" })
    yield* promised(() => one.router.chat(hello))
    yield* promised(() => one.router.chat(hello))
    expect(yield* requests(one.router)).toBe(counted("metrics of one", 2))
    expect(yield* requests(other.router)).toBeUndefined()
    yield* promised(() => other.router.chat(hello))
    expect(yield* requests(other.router)).toBe(counted("metrics of the other", 1))

    const nameOf = ({ router }: typeof one) =>
      Effect.map(
        Effect.zipRight(promised(() => router.chat(hello)), requests(router)),
        (line = "") => /router="(\d+)"/.exec(line)?.[1]
      )
    const [first, second] = [yield* makeApp(), yield* makeApp()]
    const number = yield* nameOf(first)
    const another = yield* nameOf(second)
    expect(another).not.toBe(number)
    // Whatever is free next, somebody may have called his own router so.
    const named = String(Math.max(Number(number), Number(another)) + 1)
    yield* makeApp({ name: named })
    expect(yield* nameOf(yield* makeApp())).not.toBe(named)
    yield* promised(() => first.router.close())
    expect(yield* nameOf(yield* makeApp())).toBe(number)
  })))
