/**
 * Redis fails in every way that it can: requests go on by the declared policy, none waits longer than the command timeout
 * for it, and the layer comes back by itself, with everything counted that was done meanwhile.
 */
import type { RouterOptionsInput } from "@route-llm/core"
import { RouterStateRedis } from "@route-llm/redis"
import { Effect, type Scope } from "effect"
import { describe, expect, it } from "vitest"
import { answering, startInstance } from "./rigs/instances.ts"
import { chats, during, excess, expectCounted, failed, isAnswered, patient, quick, recovered } from "./rigs/outage.ts"
import { type RedisServer, redisServer } from "./rigs/redisServer.ts"
import { skips, suiteRig } from "./rigs/suite.ts"

const run = (effect: Effect.Effect<void, never, Scope.Scope>) => Effect.runPromise(Effect.scoped(effect))

/** In every test one provider, and how often it was called. */
const counted = () => {
  const seen = { calls: 0 }
  return { seen, called: Effect.sync(() => void seen.calls++) }
}

type Options = Parameters<typeof RouterStateRedis.layer>[0]

interface Outage {
  readonly what: string
  readonly breaks: (server: RedisServer) => Effect.Effect<unknown>
  readonly mends: (server: RedisServer) => Effect.Effect<unknown>
  readonly reason: string
}

const command = (name: string, ...args: ReadonlyArray<string>) => ({ client }: RedisServer) =>
  Effect.promise(() => client.call(name, ...args))

/** Every key is a list all of a sudden. */
const spoilKeys = ({ client }: RedisServer) =>
  Effect.promise(async () => {
    for (const key of await client.keys("*")) await client.multi().del(key).rpush(key, "spoilt").exec()
  })

/** As an eviction takes them. */
const lose = (pattern: string) => ({ client }: RedisServer) =>
  Effect.promise(async () => client.del(...await client.keys(pattern)))

/** One provider's row cannot be read for a while, and is gone then. */
const spoilRow = ({ client }: RedisServer) =>
  Effect.promise(async () => {
    for (const key of await client.keys("*:provider:*")) await client.multi().del(key).rpush(key, "spoilt").exec()
  })

const outages: ReadonlyArray<Outage> = [
  { what: "is killed", breaks: ({ stop }) => stop, mends: ({ start }) => start, reason: "unreachable" },
  { what: "is frozen", breaks: ({ freeze }) => freeze, mends: ({ thaw }) => thaw, reason: "timeout" },
  { what: "loses everything", breaks: command("FLUSHALL"), mends: () => Effect.void, reason: "lost" },
  { what: "loses a provider", breaks: lose("*:provider:*"), mends: () => Effect.void, reason: "lost" },
  { what: "loses the calls under way", breaks: lose("*:leases:*"), mends: () => Effect.void, reason: "lost" },
  { what: "has one value of a wrong type", breaks: spoilRow, mends: lose("*:provider:*"), reason: "refused" },
  { what: "has values of a wrong type", breaks: spoilKeys, mends: command("FLUSHALL"), reason: "refused" },
  {
    what: "becomes a replica, and read-only",
    // Of nobody: port 1 answers nobody, so it keeps what it has.
    breaks: command("REPLICAOF", "127.0.0.1", "1"),
    mends: command("REPLICAOF", "NO", "ONE"),
    reason: "refused"
  },
  {
    what: "is out of memory",
    breaks: command("CONFIG", "SET", "maxmemory", "1"),
    mends: command("CONFIG", "SET", "maxmemory", "0"),
    reason: "refused"
  }
]

describe.skipIf(skips("own"))("Redis", () => {
  const rig = suiteRig(
    redisServer(),
    (server) =>
      Effect.all([server.start, server.thaw, command("CONFIG", "SET", "maxmemory", "0")(server), server.flush])
  )

  const startOn = (called: Effect.Effect<unknown>, state: Partial<Options> = {}, options: RouterOptionsInput = {}) =>
    startInstance(
      RouterStateRedis.layer({ url: rig().url, namespace: "outage", ...quick, ...state }),
      [answering("a", { called, limits: { requests: 1_000_000, tokens: 1_000_000 } })],
      options
    )

  it.each(outages)(
    "$what: requests go on, and are counted once it is back",
    ({ breaks, mends, reason }) =>
      run(Effect.gen(function*() {
        const { called, seen } = counted()
        const instance = yield* startOn(called, reason === "timeout" ? {} : patient)
        yield* chats(instance, 5)
        yield* breaks(rig())
        const meanwhile = yield* chats(instance, 20)
        yield* failed(instance)
        expect(meanwhile.filter((one) => !isAnswered(one))).toEqual([])
        expect(instance.events).toContainEqual(
          expect.objectContaining({ _tag: "StateFailed", reason, policy: "share" })
        )
        yield* mends(rig())
        yield* recovered(instance)
        yield* chats(instance, 5)
        yield* expectCounted(instance, yield* startOn(called, patient), () => seen.calls)
      })),
    20_000
  )

  it("forgets its scripts: nobody notices", () =>
    run(Effect.gen(function*() {
      const { called, seen } = counted()
      const instance = yield* startOn(called, patient)
      yield* command("SCRIPT", "FLUSH")(rig())
      expect((yield* chats(instance, 5)).filter((one) => !isAnswered(one))).toEqual([])
      yield* expectCounted(instance, yield* startOn(called, patient), () => seen.calls)
      expect(instance.events.filter(({ _tag }) => _tag === "StateFailed")).toEqual([])
    })))

  it("is not there at the start: requests go on, and are counted once it is", () =>
    run(Effect.gen(function*() {
      const { called, seen } = counted()
      yield* rig().stop
      const instance = yield* startOn(called)
      expect((yield* chats(instance, 5)).filter((one) => !isAnswered(one))).toEqual([])
      yield* rig().start
      yield* recovered(instance)
      yield* expectCounted(instance, yield* startOn(called, patient), () => seen.calls)
    })), 20_000)

  it("is frozen for five seconds: no request waits longer than the command timeout", () =>
    run(Effect.gen(function*() {
      const instance = yield* startOn(Effect.void)
      const before = yield* during(instance, Effect.sleep("1 second"))
      const frozen = Effect.acquireUseRelease(rig().freeze, () => Effect.sleep("5 seconds"), () => rig().thaw)
      const meanwhile = yield* during(instance, frozen)
      expect(excess("frozen for 5 s", before, meanwhile)).toEqual([])
      yield* recovered(instance)
    })), 30_000)
})
