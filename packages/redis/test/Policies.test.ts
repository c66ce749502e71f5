/** What becomes of limits while Redis is away, as `onStateFailure` says. */
import { RouterStateRedis } from "@route-llm/redis"
import { Effect, Either, Exit, Fiber, Scope } from "effect"
import { describe, expect, it } from "vitest"
import { answering, startInstance } from "./rigs/instances.ts"
import { chats, during, failed, isAnswered, patient, recovered } from "./rigs/outage.ts"
import { connect, redisServer } from "./rigs/redisServer.ts"
import { skips, suiteRig } from "./rigs/suite.ts"

const limit = 20

/** Where the test has to see the end of it. */
const windowMs = 3_000

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
      yield* rig().start
      yield* Effect.forEach(instances, recovered)
      yield* chats(first!, limit)
      yield* chats(second!, limit)
      const errors = ended.flat().filter((one) => !isAnswered(one)).map(({ ended: each }) =>
        Either.match(each, { onLeft: ({ _tag }) => _tag, onRight: () => "answered" })
      )
      return { away, back: calls, errors: new Set(errors) }
    }))

  it("share: never more than the limit, and then what is left of it", async () => {
    const { away, back, errors } = await Effect.runPromise(served("share"))
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
    const { away, errors } = await Effect.runPromise(served("open"))
    expect(errors).toEqual(new Set(["NoCapacity"]))
    expect(away).toBeGreaterThan(limit)
    expect(away).toBeLessThanOrEqual(2 * limit)
  })

  it("closed: nothing is sent, and the error says why", async () => {
    const { away, back, errors } = await Effect.runPromise(served("closed"))
    expect(errors).toEqual(new Set(["StateUnavailable"]))
    expect(away).toBeLessThan(limit / 2)
    expect(back).toBe(limit)
  })

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
