import { RouterState } from "@route-llm/core"
import { Effect, Layer } from "effect"
import { describe } from "vitest"
import { makeOverClient } from "../src/internal/makeOverClient.ts"
import type { RedisClient } from "../src/internal/Store.ts"
import { conformance } from "./conformance.ts"
import { redisCluster } from "./rigs/cluster.ts"
import { anyRedis } from "./rigs/redisServer.ts"
import { skips, suiteRig } from "./rigs/suite.ts"
import { type MakeState, withOptions } from "./stateSupport.ts"
import { waitingConformance } from "./waitingConformance.ts"

const inMemory: MakeState = (_, options) => withOptions(RouterState.layerMemory, options)

conformance("RouterState in memory", inMemory)
waitingConformance("RouterState in memory", inMemory)

/** Over this client, by the test's own clock. */
const overRedis = (client: () => RedisClient): MakeState => (name, options) =>
  withOptions(
    Layer.scoped(
      RouterState,
      Effect.suspend(() =>
        Effect.orDie(
          makeOverClient(client(), {
            namespace: name.replaceAll(/[ ,]+/g, "-"),
            heartbeat: "1 hour",
            leaseTtl: "2 hours",
            commandTimeout: "20 seconds"
          }, "caller")
        )
      )
    ),
    options
  )

describe.skipIf(skips("any"))("over Redis", () => {
  const rig = suiteRig(anyRedis, ({ flush }) => flush)
  const make = overRedis(() => rig().client)
  conformance("RouterState over Redis", make)
  waitingConformance("RouterState over Redis", make)
})

// Each test has a namespace, and so a slot, of its own.
describe.skipIf(skips("own"))("over a Cluster", () => {
  const rig = suiteRig(redisCluster, ({ flush }) => flush)
  const make = overRedis(() => rig().client)
  conformance("RouterState over a Cluster", make)
  waitingConformance("RouterState over a Cluster", make)
})
