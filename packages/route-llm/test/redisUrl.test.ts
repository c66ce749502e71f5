/** `redisUrl` in a configuration: all routers that name it share one picture. */
import { LoopbackVendor, noLatency } from "@route-llm/providers/testing"
import { Effect } from "effect"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { LLMRouter } from "route-llm"
import { describe, expect, it } from "vitest"
import { anyRedis } from "../../redis/test/rigs/redisServer.ts"
import { skips, suiteRig } from "../../redis/test/rigs/suite.ts"

const hello = { messages: [{ role: "user" as const, content: "[answer with 3 tokens]" }], onSaturated: "fail" as const }

describe.skipIf(skips("any"))("redisUrl", () => {
  const rig = suiteRig(anyRedis, ({ flush }) => flush)

  it(
    "makes two routers share one limit, from an object and from a file",
    () =>
      Effect.runPromise(Effect.scoped(Effect.gen(function*() {
        const groq = yield* LoopbackVendor.make({ vendor: "groq", latency: noLatency })
        yield* Effect.promise(async () => {
          const { url } = rig()
          const folder = await mkdtemp(join(tmpdir(), "route-llm-"))
          const path = join(folder, "router.yaml")
          await writeFile(
            path,
            `providers:\n  - name: groq\n    api_key: k\n    base_url: ${groq.url}\n    rpm_limit: 3\nredis_url: ${url}\n`
          )
          const providers = [{ name: "groq", apiKey: "k", baseUrl: groq.url, rpmLimit: 3 }]
          const options = {
            estimator: "heuristic",
            redis: { namespace: "shared", commandTimeout: "2 seconds" }
          } as const
          await using one = LLMRouter.fromConfig({ providers, redisUrl: url }, options)
          await using other = await LLMRouter.fromYaml(path, options)
          await using apart = LLMRouter.fromConfig({ providers, redisUrl: url }, {
            ...options,
            redis: { ...options.redis, namespace: "apart" }
          })
          await one.chat(hello)
          await other.chat(hello)
          await one.chat(hello)
          const refused = await other.chat(hello).catch((error: unknown) => error)
          expect(refused).toMatchObject({ _tag: "NoCapacity" })
          expect((await other.status()).groq).toMatchObject({ rpmUsed: 3, rpmLimit: 3 })
          expect((await apart.status()).groq).toMatchObject({ rpmUsed: 0 })
          await apart.chat(hello)
          await rm(folder, { recursive: true })
        })
      }))),
    30_000
  )
})
