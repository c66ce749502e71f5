import { RouterState } from "@route-llm/core"
import { Effect, Layer } from "effect"
import { describe } from "vitest"
import { makeOverClient } from "../src/internal/makeOverClient.ts"
import { conformance, withOptions } from "./conformance.ts"
import { anyRedis } from "./rigs/redisServer.ts"
import { skips, suiteRig } from "./rigs/suite.ts"

conformance("RouterState in memory", (_, options) => withOptions(RouterState.layerMemory, options))

describe.skipIf(skips("any"))("over Redis", () => {
  const rig = suiteRig(anyRedis, ({ flush }) => flush)

  conformance("RouterState over Redis", (name, options) =>
    withOptions(
      Layer.scoped(
        RouterState,
        Effect.suspend(() =>
          Effect.orDie(
            makeOverClient(rig().client, {
              namespace: name.replaceAll(" ", "-"),
              heartbeat: "1 hour",
              commandTimeout: "20 seconds"
            }, "caller")
          )
        )
      ),
      options
    ))
})
