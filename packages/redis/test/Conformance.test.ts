import { RouterState } from "@route-llm/core"
import { Effect, Layer } from "effect"
import { describe } from "vitest"
import { makeOverClient } from "../src/internal/makeOverClient.ts"
import { conformance } from "./conformance.ts"
import { anyRedis } from "./rigs/redisServer.ts"
import { skips, suiteRig } from "./rigs/suite.ts"
import { type MakeState, withOptions } from "./stateSupport.ts"
import { waitingConformance } from "./waitingConformance.ts"

const inMemory: MakeState = (_, options) => withOptions(RouterState.layerMemory, options)

conformance("RouterState in memory", inMemory)
waitingConformance("RouterState in memory", inMemory)

describe.skipIf(skips("any"))("over Redis", () => {
  const rig = suiteRig(anyRedis, ({ flush }) => flush)

  const overRedis: MakeState = (name, options) =>
    withOptions(
      Layer.scoped(
        RouterState,
        Effect.suspend(() =>
          Effect.orDie(
            makeOverClient(rig().client, {
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

  conformance("RouterState over Redis", overRedis)
  waitingConformance("RouterState over Redis", overRedis)
})
