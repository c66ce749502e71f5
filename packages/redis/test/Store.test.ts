/** What the store leaves to a client that keeps what it cannot send: nothing. */
import { Effect, Schedule, type Scope } from "effect"
import { Redis, type RedisOptions } from "ioredis"
import { createHash } from "node:crypto"
import { describe, expect, it } from "vitest"
import { type Answer, makeStore, type RedisClient } from "../src/internal/Store.ts"
import { redisServer } from "./rigs/redisServer.ts"
import { skips, suiteRig } from "./rigs/suite.ts"

const run = (effect: Effect.Effect<void, never, Scope.Scope>) => Effect.runPromise(Effect.scoped(effect))

const text = "return { ARGV[1] }"
const script = { text, sha: createHash("sha1").update(text).digest("hex") }

describe.skipIf(skips("own"))("the store", () => {
  const rig = suiteRig(redisServer(), ({ flush, start }) => Effect.zipRight(start, flush))

  /** As job queues want it: whatever is sent is sent at last. */
  const patient = (options: RedisOptions = {}) =>
    Effect.acquireRelease(
      Effect.sync(() => {
        const client = new Redis(rig().url, { maxRetriesPerRequest: null, retryStrategy: () => 50, ...options })
        client.on("error", () => {})
        return client
      }),
      (client) => Effect.sync(() => client.disconnect())
    )

  const asking = (client: RedisClient) => {
    const store = makeStore(client, 5_000)
    return Effect.async<Answer>((resume) =>
      store.run(script, [], ["asked"], (answer) => resume(Effect.succeed(answer)))
    )
  }

  const evals = Effect.promise(async () => {
    const stats = await rig().client.info("commandstats")
    return Number(/cmdstat_eval:calls=(\d+)/.exec(stats)?.[1] ?? 0)
  })

  const on = (client: RedisClient, event: string) =>
    Effect.async<void>((resume) => void client.once(event, () => resume(Effect.void)))

  it("says at once that there is no connection, and what was asked then is not asked later", () =>
    run(Effect.gen(function*() {
      const client = yield* patient()
      const ask = asking(client)
      yield* on(client, "ready")
      expect(yield* ask).toMatchObject({ _tag: "Answered" })
      const closed = yield* Effect.fork(on(client, "close"))
      yield* Effect.yieldNow()
      yield* rig().stop
      yield* closed
      const answers = yield* Effect.replicateEffect(ask, 20, { concurrency: "unbounded" })
      expect(new Set(answers.map(String))).toEqual(
        new Set(["StoreFailure: Redis: there is no connection"])
      )
      expect(answers[0]).toMatchObject({ reason: "unreachable" })
      const ready = yield* Effect.fork(on(client, "ready"))
      yield* rig().start
      yield* ready
      // Another one that was told to wait would have gone before this.
      yield* Effect.promise(() => client.ping())
      expect(yield* evals).toBe(0)
      expect(yield* ask).toMatchObject({ _tag: "Answered" })
    })))

  it("has a client connect that waits to be asked", () =>
    run(Effect.gen(function*() {
      const ask = asking(yield* patient({ lazyConnect: true }))
      expect(yield* ask).toMatchObject({ reason: "unreachable" })
      yield* Effect.repeat(ask, { until: ({ _tag }) => _tag === "Answered", schedule: Schedule.spaced("10 millis") })
    })))
})
