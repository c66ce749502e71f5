/**
 * One process of a fleet: a router over the vendors, on the state that it shares through Redis. It sends what it is told
 * to, and reports how each request ended.
 */
import {
  type ChatRequest,
  countEverything,
  type Provider,
  ProviderFailure,
  ProviderRegistry,
  Router,
  RouterLive,
  RouterOptions,
  RouterState,
  TokenEstimator,
  type Usage
} from "@route-llm/core"
import { RouterStateRedis } from "@route-llm/redis"
import { Deferred, Effect, FiberRef, Layer, Random, Runtime, Stream } from "effect"
import {
  type Asked,
  type Call,
  type Ended,
  epochMs,
  type GivenUp,
  type VendorSpec,
  type WorkerHears,
  type WorkerOptions,
  type WorkerSays
} from "./protocol.ts"

const options: WorkerOptions = JSON.parse(process.argv[2] ?? "")

const say = (message: WorkerSays) => Effect.sync(() => void process.send?.(message))

const textOf = ({ messages: [message] }: ChatRequest): string =>
  typeof message?.content === "string" ? message.content : ""

/** The request is its own cost: `Asked` in JSON is what is sent. */
const askedIn = (request: ChatRequest): Asked => JSON.parse(textOf(request))

/** Of the reservation that the fiber's call is made in. */
const reservedAtMs = FiberRef.unsafeMake(0)

const givenUp: Array<GivenUp> = []

let outages = 0

const call = (vendor: string, request: ChatRequest) =>
  Effect.flatMap(FiberRef.get(reservedAtMs), (atMs) => {
    const sent: Call = { ...askedIn(request), reservedAtMs: atMs }
    return Effect.tryPromise({
      try: async (signal): Promise<Usage> => {
        const response = await fetch(`${options.vendorsUrl}/${vendor}`, {
          method: "POST",
          body: JSON.stringify(sent),
          signal
        })
        return await response.json()
      },
      catch: (cause) => new ProviderFailure({ class: "network", message: String(cause), cause })
    }).pipe(Effect.onInterrupt(() => Effect.sync(() => givenUp.push({ id: sent.id, vendor, atMs: epochMs() }))))
  })

const providerOf = ({ limits, name }: VendorSpec): Provider => ({
  name,
  model: "m",
  limits,
  weight: 1,
  // So that what is reserved is what is used, and an excess is nobody's bad guess.
  counting: { ...countEverything, chargesMaxTokens: true },
  chat: (request) =>
    Effect.map(call(name, request), (usage) => ({
      content: "fine",
      finishReason: "stop",
      model: "m",
      usage,
      raw: usage
    }))
})

/** The layer under test, and a note of when it has reserved. */
const State = Layer.effect(
  RouterState,
  Effect.map(RouterState, (state) => ({
    ...state,
    reserve: (...asked: Parameters<typeof state.reserve>) =>
      Effect.tap(
        state.reserve(...asked),
        (decision) =>
          decision._tag === "Granted" ? FiberRef.set(reservedAtMs, decision.reservation.reservedAtMs) : Effect.void
      )
  }))
).pipe(
  Layer.provide(
    RouterStateRedis.layer({ url: options.redisUrl, namespace: options.namespace, ...options.state })
  )
)

const estimator = { estimate: (request: ChatRequest) => Effect.sync(() => askedIn(request).inputTokens) }

const Live = RouterLive.pipe(
  Layer.provide(
    Layer.mergeAll(
      Layer.empty,
      ...options.vendors.map((vendor) => ProviderRegistry.provide(Effect.succeed(providerOf(vendor))))
    )
  ),
  Layer.provide([ProviderRegistry.layer, State]),
  Layer.provide(RouterOptions.layer({ window: options.windowMs, transit: options.transitMs })),
  Layer.provide(Layer.succeed(TokenEstimator, estimator))
)

const ask = (asked: Asked, timeout: number): Effect.Effect<Ended, never, Router> =>
  Effect.flatMap(Router, (router) =>
    router.chat({
      messages: [{ role: "user", content: JSON.stringify(asked) }],
      maxTokens: asked.outputTokens,
      timeout
    })).pipe(
      Effect.match({
        onSuccess: ({ provider }): Ended => ({ _tag: "Answered", id: asked.id, provider }),
        onFailure: (error): Ended => ({
          _tag: "Failed",
          id: asked.id,
          error: error._tag,
          message: error.message,
          calls: "attempts" in error ? error.attempts.map((attempt) => attempt.class) : []
        })
      }),
      // Not one request ends without a word: a defect is none that the test expects.
      Effect.catchAllDefect((defect) =>
        Effect.succeed<Ended>({ _tag: "Failed", id: asked.id, error: "defect", message: String(defect), calls: [] })
      )
    )

const anyRequest = (number: number): Effect.Effect<Asked> =>
  Effect.gen(function*() {
    return {
      id: `${options.name}-${number}`,
      inputTokens: yield* Random.nextIntBetween(50, 400),
      outputTokens: yield* Random.nextIntBetween(20, 300),
      latencyMs: yield* Random.nextIntBetween(30, 250)
    }
  })

/** The mean pause of a caller between two requests: without any, one that is refused at once would ask without end. */
const pauseMs = 30

const load = (
  { callers, timeoutMs }: Extract<WorkerHears, { readonly _tag: "Load" }>,
  stopped: Deferred.Deferred<void>
) =>
  Effect.gen(function*() {
    const ended: Array<Ended> = []
    let started = 0
    const one = Effect.gen(function*() {
      ended.push(yield* ask(yield* anyRequest(started++), timeoutMs))
      yield* Effect.sleep(-Math.log(1 - (yield* Random.next)) * pauseMs)
    })
    const caller = Effect.repeat(one, { until: () => Deferred.isDone(stopped) })
    yield* Effect.replicateEffect(caller, callers, { concurrency: "unbounded", discard: true })
    yield* say({ _tag: "Report", started, ended, givenUp, outages })
  }).pipe(Effect.withRandom(Random.make(options.seed)))

const program = Effect.gen(function*() {
  const runtime = yield* Effect.runtime<Router>()
  const stopped = yield* Deferred.make<void>()
  const { events } = yield* Router
  yield* Effect.fork(
    Stream.runForEach(events, ({ _tag }) => Effect.sync(() => void (outages += Number(_tag === "StateFailed"))))
  )
  const heard = (message: WorkerHears) => {
    switch (message._tag) {
      case "Load":
        return load(message, stopped)
      case "Stop":
        return Deferred.succeed(stopped, undefined)
      case "Ask":
        return Effect.flatMap(ask(message.asked, message.timeoutMs), (ended) => say({ _tag: "Ended", ended }))
    }
  }
  process.on("message", (message: WorkerHears) => Runtime.runFork(runtime)(Effect.asVoid(heard(message))))
  process.on("disconnect", () => process.exit(0))
  yield* say({ _tag: "Ready" })
  return yield* Effect.never
})

// What fails here fails the process, and says so.
void Effect.runPromise(Effect.provide(program, Live))
