/**
 * The router over HTTP, for people and machines that look at it. Nothing is changed and nothing is sent by it, and no
 * key, prompt or answer comes out of it; names of providers and models, figures and session ids do, so it belongs behind
 * whatever guards the application's other internal pages.
 *
 * - `GET /status`: a `StatusReport`.
 * - `GET /events`: server-sent events. `event: <_tag>` with a `RouterEvent` as data; `event: status` with a
 *   `StatusReport` at once and then each second, or `event: unavailable` with `{ "reason" }` where there is none.
 * - `POST /explain` with a `ChatRequest`, or `GET /explain?input=2000`: an `Explanation`. Beside `input`, which stands
 *   for the estimate, `maxTokens`, `priority`, `sessionId` and `forceProvider` may be given.
 * - `GET /metrics`: Prometheus' text format.
 *
 * Errors are `{ "error": { "_tag", "message" } }`.
 *
 * ```ts no-run
 * import { HttpRouter } from "@effect/platform"
 * import { RouterHttp } from "route-llm"
 *
 * export const app = HttpRouter.empty.pipe(HttpRouter.mount("/llm", RouterHttp.routes))
 * ```
 *
 * @since 0.1.0
 */
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { type ChatRequest, Priority, Router, RouterMetrics, type RouterService } from "@route-llm/core"
import { Cause, Chunk, Data, Effect, Predicate, Schedule, Schema, Stream } from "effect"
import { only } from "./methods.ts"
import { errorResponse, headers, json } from "./responses.ts"
import { stateWords } from "./stateWords.ts"

/** Whatever the state's store said of its fault stays in the application. */
const unavailable = (fault: unknown) => errorResponse(503, "StateUnavailable", stateWords(fault))

/** A fault of the store behind the router is a defect where it was only looked at. */
const orUnavailable = Effect.catchAllCause((cause: Cause.Cause<never>) =>
  Cause.isInterrupted(cause) ? Effect.failCause(cause) : Effect.succeed(unavailable(Cause.squash(cause)))
)

const status = Router.pipe(
  Effect.flatMap((router) => router.report),
  Effect.map((report) => json(report)),
  orUnavailable
)

const metrics = RouterMetrics.prometheus.pipe(
  Effect.map((text) => HttpServerResponse.text(text, { contentType: RouterMetrics.prometheusContentType, headers })),
  orUnavailable
)

/** Readers of `/events` of one router at one time. */
const mostReaders = 64

const readers = new WeakMap<RouterService, number>()

const readersOf = (router: RouterService): number => readers.get(router) ?? 0

const tooMany = `${mostReaders} readers follow the events already.`

/** Whether the reader has a place. Many may have been let in by the time the first of them reads. */
const placeOf = (router: RouterService): Stream.Stream<boolean> =>
  Stream.acquireRelease(
    Effect.sync(() => {
      if (readersOf(router) >= mostReaders) return false
      readers.set(router, readersOf(router) + 1)
      return true
    }),
    (hasPlace) => Effect.sync(() => hasPlace && readers.set(router, readersOf(router) - 1))
  )

/** JSON has no line breaks, so it is one line of data. */
const frame = (event: string, data: unknown): string => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`

/** What a browser waits before it comes back, in ms. */
const retry = "retry: 2000\n\n"

/** A reader is told why there is no status: that none comes it would only see after a while. */
const unavailableFrame = (reason: string): string => frame("unavailable", { reason })

const statusFrames = (router: RouterService): Stream.Stream<string> =>
  Stream.repeatEffectWithSchedule(
    router.report.pipe(
      Effect.map((report) => frame("status", report)),
      Effect.catchAllDefect((fault) => Effect.succeed(unavailableFrame(stateWords(fault))))
    ),
    Schedule.spaced("1 second")
  )

/** So that whatever lies between keeps the connection, also while the state does not answer. */
const heartbeats = Stream.tick("15 seconds").pipe(Stream.drop(1), Stream.as(": here\n\n"))

const eventFrames = (router: RouterService): Stream.Stream<string> =>
  Stream.mapChunks(
    router.events,
    (events) => Chunk.of(Chunk.toReadonlyArray(events).map((event) => frame(event._tag, event)).join(""))
  )

/** Ends with the router. */
const frames = (router: RouterService): Stream.Stream<string> =>
  Stream.flatMap(placeOf(router), (hasPlace) =>
    hasPlace
      ? Stream.merge(
        eventFrames(router),
        Stream.concat(Stream.make(retry), Stream.merge(statusFrames(router), heartbeats)),
        { haltStrategy: "left" }
      )
      : Stream.make(retry, unavailableFrame(tooMany)))

const events = Effect.map(Router, (router) =>
  readersOf(router) >= mostReaders
    ? errorResponse(503, "TooManyReaders", tooMany)
    : HttpServerResponse.stream(Stream.encodeText(frames(router)), {
      contentType: "text/event-stream; charset=utf-8",
      // nginx would keep back what is small; some proxies would compress it, and wait for more.
      headers: { ...headers, "cache-control": "no-store, no-transform", "x-accel-buffering": "no" }
    }))

const Asked = Schema.Struct({
  input: Schema.optional(Schema.NumberFromString.pipe(Schema.int(), Schema.nonNegative())),
  maxTokens: Schema.optional(Schema.NumberFromString),
  priority: Schema.optional(Priority),
  sessionId: Schema.optional(Schema.String),
  forceProvider: Schema.optional(Schema.String)
})

/** The request cannot be read, or is too much to be read. */
class Unread extends Data.TaggedError("Unread")<{ readonly status: 400 | 413; readonly message: string }> {}

const asked = HttpServerRequest.schemaSearchParams(Asked).pipe(
  Effect.mapError(() =>
    new Unread({
      status: 400,
      message:
        "Expected of the query: input and maxTokens as whole numbers, priority as high, normal or low, sessionId "
        + "and forceProvider as texts."
    })
  )
)

/** Bytes of a request to explain, at most. */
const longestBody = 8 * 1024 * 1024

const noRequest = () => new Unread({ status: 400, message: "Expected a ChatRequest as JSON." })

/** Not `request.text`, which would take a body of any length. */
const body = Effect.gen(function*() {
  const request = yield* HttpServerRequest.HttpServerRequest
  const decoder = new TextDecoder()
  let length = 0
  const text = yield* request.stream.pipe(
    Stream.mapError(noRequest),
    Stream.runFoldEffect("", (read, bytes) => {
      length += bytes.length
      return length > longestBody
        ? new Unread({ status: 413, message: `A request to explain has at most ${longestBody} bytes.` })
        : Effect.succeed(read + decoder.decode(bytes, { stream: true }))
    })
  )
  // The router checks what it is: one that is no request fails there, by the path of what is wrong.
  return yield* Effect.try({ try: () => JSON.parse(text) as ChatRequest, catch: noRequest })
})

/** Tokens of input where none are named. */
const usualInput = 1_000

const statuses = { InvalidRequest: 400, UnknownProvider: 404, NoProvidersConfigured: 503 } as const

const explained = (request: ChatRequest, inputTokens: number | undefined) =>
  Router.pipe(
    Effect.flatMap((router) => router.explain(request, { inputTokens })),
    Effect.map((explanation) => json(explanation)),
    Effect.catchAll((error) =>
      Effect.succeed(
        error._tag === "StateUnavailable"
          ? unavailable(error.cause)
          : errorResponse(statuses[error._tag], error._tag, error.message)
      )
    ),
    orUnavailable
  )

const unread = ({ _tag, message, status }: Unread) => Effect.succeed(errorResponse(status, _tag, message))

const explainSize = Effect.gen(function*() {
  const { input = usualInput, ...rest } = yield* asked
  return yield* explained({ messages: [{ role: "user", content: "" }], ...rest }, input)
}).pipe(Effect.catchTag("Unread", unread))

const explainRequest = Effect.gen(function*() {
  const { input, ...rest } = yield* asked
  const request = yield* body
  return yield* explained(Predicate.isRecord(request) ? { ...request, ...rest } : request, input)
}).pipe(Effect.catchTag("Unread", unread))

/**
 * The paths above, under whatever the application mounts them.
 *
 * @since 0.1.0
 */
export const routes: HttpRouter.HttpRouter<never, Router> = HttpRouter.empty.pipe(
  HttpRouter.get("/status", status),
  HttpRouter.get("/events", events),
  HttpRouter.get("/explain", explainSize),
  HttpRouter.post("/explain", explainRequest),
  HttpRouter.get("/metrics", metrics),
  only("/status", "GET"),
  only("/events", "GET"),
  only("/explain", "GET", "POST"),
  only("/metrics", "GET")
)
