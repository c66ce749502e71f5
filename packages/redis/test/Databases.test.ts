/** Several databases in one Redis: keys are apart in them, what is published is not. */
import { RouterOptions, RouterState, type StateChange } from "@route-llm/core"
import { RouterStateRedis } from "@route-llm/redis"
import { Context, Effect, Layer, Queue, Stream } from "effect"
import { Redis } from "ioredis"
import { describe, expect, it } from "vitest"
import { redisServer } from "./rigs/redisServer.ts"
import { skips, suiteRig } from "./rigs/suite.ts"
import { ask, call, failed, settle, spec } from "./stateSupport.ts"

const options = { namespace: "databases", commandTimeout: "5 seconds" } as const

describe.skipIf(skips("own"))("instances in different databases", () => {
  const rig = suiteRig(redisServer(), ({ flush }) => flush)

  const selected = (db: number) =>
    Effect.acquireRelease(
      Effect.promise(async () => {
        const client = new Redis(rig().url)
        await client.select(db)
        return client
      }),
      (client) => Effect.sync(() => client.disconnect())
    )

  const heardBy = (state: Context.Tag.Service<RouterState>) =>
    Effect.gen(function*() {
      const heard = yield* Queue.unbounded<StateChange>()
      yield* state.changes.pipe(Stream.runForEach((change) => Queue.offer(heard, change)), Effect.forkScoped)
      yield* Effect.yieldNow()
      return heard
    })

  /** The providers of what was heard, in order, up to what the test itself says to everyone. */
  const providersOf = (heard: Queue.Dequeue<StateChange>) =>
    Stream.fromQueue(heard).pipe(
      Stream.map((change) => "provider" in change ? change.provider : change._tag),
      Stream.takeUntil((provider) => provider === "said to everyone"),
      Stream.runCollect
    )

  it("do not hear of each other's circuits", () =>
    Effect.runPromise(Effect.scoped(Effect.gen(function*() {
      const { client, url } = rig()
      const layers = [
        RouterStateRedis.layer({ url, ...options }),
        RouterStateRedis.layer({ url: `${url}/1`, ...options }),
        RouterStateRedis.layerClient(yield* selected(2), options)
      ]
      const states = yield* Effect.forEach(layers, (layer) =>
        Layer.build(Layer.provide(layer, RouterOptions.layer({ breaker: { failureThreshold: 1 } }))).pipe(
          Effect.map(Context.get(RouterState))
        ))
      const heard = yield* Effect.forEach(states, heardBy)
      for (const [db, state] of states.entries()) {
        const own = [spec(`of ${db}`)]
        yield* Effect.flatMap(call(ask(own)), (reservation) =>
          settle(reservation, failed)).pipe(
            Effect.provideService(RouterState, state)
          )
        // Told by now: the answer comes after it.
        yield* state.snapshot(own)
      }
      const said = JSON.stringify(["the test", ["circuit", "said to everyone", "closed", "open", "1"]])
      yield* Effect.promise(async () => {
        for (const channel of await client.pubsub("CHANNELS", "route-llm:*")) {
          await client.publish(String(channel), said)
        }
      })
      for (const [db, all] of (yield* Effect.forEach(heard, providersOf)).entries()) {
        expect([...all]).toEqual([`of ${db}`, "said to everyone"])
      }
    }))))
})
