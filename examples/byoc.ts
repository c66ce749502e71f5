/**
 * Bring your own clients: the router wraps the SDK clients that the application has. Here they talk to vendors on
 * loopback, the first of which is down.
 */
import Anthropic from "@anthropic-ai/sdk"
import { LoopbackVendor, noLatency } from "@route-llm/providers/testing"
import { Effect } from "effect"
import OpenAI from "openai"
import { LLMRouter } from "route-llm"

const main = async (openaiUrl: string, anthropicUrl: string) => {
  const router = LLMRouter.fromConfig({ providers: [] }, {
    onRoute: ({ attemptNumber, outcome, provider }) => console.log(`attempt ${attemptNumber}: ${provider}, ${outcome}`)
  })
  router.register("openai", { client: new OpenAI({ apiKey: "any", baseURL: openaiUrl }), weight: 2, rpm: 500 })
  router.register("anthropic", { client: new Anthropic({ apiKey: "any", baseURL: anthropicUrl }), rpm: 50 })

  const { content, provider } = await router.chat({ messages: [{ role: "user", content: "[answer with 4 tokens]" }] })
  console.log(`${provider} answered in ${content.split(" ").length} words`)
  const status = await router.status()
  console.log(`anthropic: ${status["anthropic"]?.rpmUsed} of ${status["anthropic"]?.rpmLimit} requests used`)
  await router.close()
}

const program = Effect.gen(function*() {
  const openai = yield* LoopbackVendor.make({ vendor: "openai", latency: noLatency })
  const anthropic = yield* LoopbackVendor.make({ vendor: "anthropic", latency: noLatency })
  yield* openai.setFault({ kind: "server_error", status: 503 })
  yield* Effect.promise(() => main(openai.url, anthropic.url))
})

await Effect.runPromise(Effect.scoped(program))
