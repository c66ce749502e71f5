/** What becomes of limits while Redis is away, as `onStateFailure` says. */
import { RouterOptions, RouterState, type StateChange } from "@route-llm/core"
import { RouterStateRedis } from "@route-llm/redis"
import { Cause, Context, Effect, Either, Exit, Fiber, Layer, Queue, Scope, Stream } from "effect"
import { describe, expect, it } from "vitest"
import { answering, type Instance, startInstance } from "./rigs/instances.ts"
import { chats, during, failed, isAnswered, patient, recovered } from "./rigs/outage.ts"
import { connect, redisServer } from "./rigs/redisServer.ts"
import { skips, suiteRig } from "./rigs/suite.ts"
import { ask, realMoment, reserveOn, spec } from "./stateSupport.ts"

const limit = 20

/** Where the test has to see the end of it. */
const windowMs = 3_000

/** What whoever looks is told: of the provider's limit, of the state, and of where a request would go. */
const seen = ({ router }: Instance) =>
  Effect.gen(function*() {
    const told = yield* Effect.exit(router.report)
    const explained = yield* Effect.either(router.explain({ messages: [{ role: "user", content: "Hello" }] }))
    return {
      rpmLimit: Exit.isSuccess(told) ? told.value.providers[0]?.rpmLimit : "died",
      state: Exit.isSuccess(told) ? told.value.state : "died",
      explained: Either.match(explained, { onLeft: ({ _tag }) => _tag, onRight: () => "explained" })
    }
  })

const ms = expect.any(Number)

const stateOf = (options: Parameters<typeof RouterStateRedis.layer>[0]) =>
  Effect.map(
    Layer.build(RouterStateRedis.layer(options).pipe(Layer.provide(RouterOptions.layer({})), Layer.orDie)),
    Context.get(RouterState)
  )

describe.skipIf(skips("own"))("two instances while Redis is away", () => {
  const rig = suiteRig(redisServer(), ({ flush, start }) => Effect.zipRight(start, flush))

  /** What they serve in one window, some of it before Redis went; and what the first of them said to the rest. */
  const served = (onStateFailure: "share" | "open" | "closed") =>
    Effect.scoped(Effect.gen(function*() {
      let calls = 0
      const provider = answering("a", { limits: { requests: limit }, called: Effect.sync(() => void calls++) })
      const state = RouterStateRedis.layer({
        url: rig().url,
        namespace: "policies",
        ...patient,
        instances: 2,
        onStateFailure
      })
      const options = { waiting: { onSaturated: "fail" } } as const
      const instances = yield* Effect.replicateEffect(startInstance(state, [provider], options), 2)
      const [first, second] = instances
      yield* chats(first!, 4)
      yield* rig().stop
      const ended = yield* Effect.forEach(instances, (instance) => chats(instance, limit), { concurrency: 2 })
      yield* Effect.forEach(instances, failed)
      const away = calls
      const looked = yield* seen(first!)
      yield* rig().start
      yield* Effect.forEach(instances, recovered)
      expect(yield* seen(first!)).toEqual({ rpmLimit: limit, state: undefined, explained: "explained" })
      yield* chats(first!, limit)
      yield* chats(second!, limit)
      const errors = ended.flat().filter((one) => !isAnswered(one)).map(({ ended: each }) =>
        Either.match(each, { onLeft: ({ _tag }) => _tag, onRight: () => "answered" })
      )
      return { away, back: calls, errors: new Set(errors), looked }
    }))

  it("share: never more than the limit, and then what is left of it", async () => {
    const { away, back, errors, looked } = await Effect.runPromise(served("share"))
    expect(looked.state).toEqual({ away: true, policy: "share", sinceMs: ms })
    expect(looked.rpmLimit).toBeLessThan(limit)
    expect(errors).toEqual(new Set(["NoCapacity"]))
    expect(away).toBeLessThanOrEqual(limit)
    // Less than half of it would be no share.
    expect(away).toBeGreaterThanOrEqual(limit / 2)
    expect(back).toBe(limit)
  })

  it("share: what fits the limit and no share of it waits for Redis, and is no mistake of the caller's", () =>
    Effect.runPromise(Effect.scoped(Effect.gen(function*() {
      const provider = answering("a", { limits: { tokens: 4_000 } })
      const state = RouterStateRedis.layer({ url: rig().url, namespace: "policies", ...patient, instances: 100 })
      const instance = yield* startInstance(state, [provider])
      yield* rig().stop
      const request = { messages: [{ role: "user", content: "Hello, World. ".repeat(100) }] } as const
      const waits = yield* Effect.fork(instance.router.chat(request))
      yield* failed(instance)
      const refused = yield* Effect.flip(instance.router.chat({ ...request, onSaturated: "fail" }))
      expect(refused).toMatchObject({ _tag: "NoCapacity", perProvider: [{ reason: "full", limit: 4_000 }] })
      yield* rig().start
      yield* recovered(instance)
      expect(yield* Fiber.join(waits)).toMatchObject({ content: "fine" })
    }))))

  it("open: each as though it were alone", async () => {
    const { away, errors, looked } = await Effect.runPromise(served("open"))
    expect(looked).toEqual({
      rpmLimit: limit,
      state: { away: true, policy: "open", sinceMs: ms },
      explained: "explained"
    })
    expect(errors).toEqual(new Set(["NoCapacity"]))
    expect(away).toBeGreaterThan(limit)
    expect(away).toBeLessThanOrEqual(2 * limit)
  })

  it("closed: nothing is sent, and the error says why", async () => {
    const { away, back, errors, looked } = await Effect.runPromise(served("closed"))
    expect(looked).toEqual({ rpmLimit: "died", state: "died", explained: "StateUnavailable" })
    expect(errors).toEqual(new Set(["StateUnavailable"]))
    expect(away).toBeLessThan(limit / 2)
    expect(back).toBe(limit)
  })

  it("closed: as soon as requests are answered again, so is whoever looks", () =>
    Effect.runPromise(Effect.scoped(Effect.gen(function*() {
      const shared = { namespace: "policies", ...patient, onStateFailure: "closed" as const, settleIn: 5_000 }
      const instance = yield* startInstance(RouterStateRedis.layer({ url: rig().url, ...shared }), [answering("a")])
      yield* rig().stop
      yield* chats(instance, 1)
      yield* failed(instance)
      yield* rig().start
      yield* Effect.repeat(Effect.zipLeft(instance.chat, realMoment), { until: (one) => isAnswered(one) })
      expect(yield* seen(instance)).toMatchObject({ state: undefined, explained: "explained" })
    }))))

  it(
    "closed: who has joined the line while Redis settles hears at once that it is gone again",
    () =>
      Effect.runPromise(Effect.scoped(Effect.gen(function*() {
        const shared = { namespace: "policies", ...patient, onStateFailure: "closed" as const, settleIn: 600_000 }
        const state = yield* stateOf({ url: rig().url, ...shared })
        const single = [spec("a", { concurrent: 1 })]
        const reserve = (waitMs: number) => reserveOn(state, ask(single, { waitMs }))
        const heard = yield* Queue.unbounded<StateChange>()
        yield* state.changes.pipe(Stream.runForEach((change) => Queue.offer(heard, change)), Effect.forkScoped)
        yield* Effect.yieldNow()
        const settling = Effect.exit(reserve(0)).pipe(Effect.zipLeft(realMoment))
        yield* rig().stop
        yield* Effect.exit(reserve(0))
        expect(yield* Queue.take(heard)).toMatchObject({ _tag: "StateFailed" })
        yield* rig().start
        yield* Effect.repeat(settling, { until: Exit.isSuccess })
        const waits = yield* Effect.fork(Effect.exit(reserve(600_000)))
        while ((yield* state.waiting).normal === 0) yield* realMoment
        yield* rig().stop
        const died = yield* Fiber.join(waits)
        expect(Exit.isFailure(died) && Cause.squash(died.cause)).toMatchObject({ reason: "unreachable" })
      }))),
    20_000
  )

  it(
    "share: what one that died had used is not forgotten with Redis",
    () =>
      Effect.runPromise(Effect.scoped(Effect.gen(function*() {
        const callsMs: Array<number> = []
        const called = Effect.sync(() => void callsMs.push(performance.now()))
        const provider = answering("a", { limits: { requests: limit }, called })
        const state = RouterStateRedis.layer({ url: rig().url, namespace: "policies", ...patient, instances: 2 })
        const options = { window: windowMs, timeout: windowMs }
        const dying = yield* Scope.make()
        const first = yield* Scope.extend(startInstance(state, [provider], options), dying)
        const second = yield* startInstance(state, [provider], options)
        yield* chats(first, limit / 2)
        // Of which the other one hears.
        yield* second.router.status
        yield* rig().stop
        // With nobody to say goodbye to, that is as good as being killed.
        yield* Scope.close(dying, Exit.void)
        yield* chats(second, 1)
        yield* rig().start
        yield* during(second, recovered(second))
        const peak = Math.max(
          ...callsMs.map((endMs) => callsMs.filter((atMs) => atMs <= endMs && atMs > endMs - windowMs).length)
        )
        expect(peak).toBeLessThanOrEqual(limit)
        expect(callsMs.length).toBeGreaterThan(limit)
      }))),
    20_000
  )

  // The price of going on at all: those who still have Redis are given everything, and know nothing of it.
  it("share: one that alone is cut off puts the fleet over the limit by its share at most", () =>
    Effect.runPromise(Effect.scoped(Effect.gen(function*() {
      const calls = { cutOff: 0, other: 0 }
      const provider = (whose: keyof typeof calls) =>
        answering("a", { limits: { requests: limit }, called: Effect.sync(() => void calls[whose]++) })
      const shared = { namespace: "policies", ...patient, instances: 2 }
      const options = { waiting: { onSaturated: "fail" } } as const
      const client = yield* connect(rig().url)
      const cutOff = yield* startInstance(RouterStateRedis.layerClient(client, shared), [provider("cutOff")], options)
      const other = yield* startInstance(
        RouterStateRedis.layer({ url: rig().url, ...shared }),
        [provider("other")],
        options
      )
      client.disconnect()
      yield* Effect.forEach([cutOff, other], (instance) => chats(instance, limit), { concurrency: 2 })
      yield* failed(cutOff)
      console.log("one of two is cut off:", calls, `of a limit of ${limit}`)
      expect(calls.cutOff).toBeLessThanOrEqual(limit / 2)
      expect(calls.other).toBeLessThanOrEqual(limit)
    }))))
})
