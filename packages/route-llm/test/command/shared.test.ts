/** The command over what a fleet shares in Redis: it looks on, and is no part of the fleet. */
import { LoopbackVendor, noLatency } from "@route-llm/providers/testing"
import { Effect } from "effect"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { LLMRouter } from "route-llm"
import { describe, expect, it } from "vitest"
import { anyRedis } from "../../../redis/test/rigs/redisServer.ts"
import { skips, suiteRig } from "../../../redis/test/rigs/suite.ts"
import { routeLlm } from "./run.ts"

const hello = { messages: [{ role: "user" as const, content: "[answer with 3 tokens]" }] }

/** Nobody listens there. */
const nowhere = "redis://:canary@localhost:9"

describe.skipIf(skips("any"))("the command over Redis", () => {
  const rig = suiteRig(anyRedis, ({ flush }) => flush)

  it(
    "shows what applications share, asks it where a request would go, and does not count as one of them",
    () =>
      Effect.runPromise(Effect.scoped(Effect.gen(function*() {
        const groq = yield* LoopbackVendor.make({ vendor: "groq", latency: noLatency })
        yield* Effect.promise(async () => {
          const { client, url } = rig()
          const folder = await mkdtemp(join(tmpdir(), "route-llm-"))
          const path = join(folder, "router.yaml")
          const configuration =
            `providers:\n  - { name: groq, api_key: k, base_url: "${groq.url}", rpm_limit: 3 }\nredis_url: ${nowhere}\n`
          await writeFile(path, configuration)
          const providers = [{ name: "groq", apiKey: "k", baseUrl: groq.url, rpmLimit: 3 }]
          const redis = { namespace: "shown", commandTimeout: "2 seconds" } as const
          await using app = LLMRouter.fromConfig({ providers, redisUrl: url }, { estimator: "heuristic", redis })
          await app.chat(hello)
          await app.chat(hello)
          const alive = () => client.zcard(`route-llm:v1:{shown}:60000x60:instances`)
          expect(await alive()).toBe(1)

          const args = ["--config", path, "--redis", url, "--namespace", "shown", "--json"]
          const status = await routeLlm(["status", ...args])
          expect([status.code, status.stderr]).toEqual([0, ""])
          expect(JSON.parse(status.stdout)).toMatchObject({ providers: [{ name: "groq", rpmUsed: 2, rpmLimit: 3 }] })
          await app.chat(hello)
          const explained = await routeLlm(["explain", ...args])
          expect([explained.code, explained.stderr]).toEqual([3, ""])
          expect(JSON.parse(explained.stdout)).toMatchObject({ candidates: [{ refusal: { reason: "full" } }] })
          expect(await alive()).toBe(1)

          const away = await routeLlm(["status", "--config", path])
          expect([away.code, away.stdout]).toEqual([1, ""])
          const explaining = await routeLlm(["explain", "--config", path])
          expect([explaining.code, explaining.stdout]).toEqual([1, ""])
          for (const { stderr } of [away, explaining]) {
            expect(stderr).toMatch(
              /^The router's state is not available \(Redis: .+\).* That is Redis at localhost:9\.$/m
            )
            expect(stderr).not.toContain("canary")
          }
          await rm(folder, { recursive: true })
        })
      }))),
    60_000
  )
})
