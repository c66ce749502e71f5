/**
 * Two instances of an application on one key of three requests a minute. Each alone would send three; on one Redis they
 * send three together, and both know it. `REDIS_URL` names the Redis, or one on this machine is used. The vendor is on
 * loopback.
 */
import { LoopbackVendor } from "@route-llm/providers/testing"
import { Effect } from "effect"
import { LLMRouter } from "route-llm"

const request = {
  messages: [{ role: "user" as const, content: "[answer with 3 tokens]" }],
  onSaturated: "fail" as const
}

const main = Effect.gen(function*() {
  const groq = yield* LoopbackVendor.make({ vendor: "groq", speed: 1_000 })
  const config = {
    providers: [{ name: "groq", apiKey: "k", baseUrl: groq.url, rpmLimit: 3 }],
    redisUrl: process.env.REDIS_URL ?? "redis://localhost:6379"
  }
  // In an application the namespace is its own name; this one begins anew each time.
  const options = { redis: { namespace: `fleet-${process.pid}` } }
  yield* Effect.promise(async () => {
    await using one = LLMRouter.fromConfig(config, options)
    await using other = LLMRouter.fromConfig(config, options)
    for (const [name, router] of [["one", one], ["other", other], ["one", one], ["other", other]] as const) {
      const outcome = await router.chat(request).then(
        ({ provider }) => `answered by ${provider}`,
        (error) => error._tag
      )
      console.log(`${name}: ${outcome}`)
    }
    for (const [name, router] of [["one", one], ["other", other]] as const) {
      const { groq: seen } = await router.status()
      console.log(`${name} sees ${seen?.rpmUsed} of ${seen?.rpmLimit} requests used`)
    }
  })
})

await Effect.runPromise(Effect.scoped(main))
