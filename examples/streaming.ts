/**
 * A poem comes word by word, and its vendor breaks off: the first time in the middle of its start events, where nobody
 * notices, then in the middle of the poem. That is announced, since a reader has seen the beginning.
 */
import AnthropicClient from "@anthropic-ai/sdk"
import { ProviderRegistry, Router, RouterLive, RouterState } from "@route-llm/core"
import { Anthropic, OpenAi } from "@route-llm/providers"
import { LoopbackVendor, noLatency } from "@route-llm/providers/testing"
import { Effect, Layer, Stream } from "effect"
import OpenAI from "openai"

const poem = "I wandered lonely as a cloud\nThat floats on high o'er vales and hills"
const request = { messages: [{ role: "user" as const, content: `[say ${JSON.stringify(poem)}]` }] }

const write = (text: string) => Effect.sync(() => void process.stdout.write(text))

const program = Effect.gen(function*() {
  const router = yield* Router
  yield* Stream.runForEach(router.stream(request), write)
  yield* write("\n\n")
  const parts = router.streamParts(request, { onInterrupt: "restart" })
  yield* Stream.runForEach(parts, (part) => {
    switch (part._tag) {
      case "Text":
        return write(part.text)
      case "Restart":
        return write(` … (${part.provider}: ${part.because}; once more)\n`)
      case "Finish":
        return write(`\n\n${part.outputTokens} tokens from ${part.provider}, attempt ${part.attempts}\n`)
      default:
        return Effect.void
    }
  })
})

const main = Effect.gen(function*() {
  const anthropic = yield* LoopbackVendor.make({ vendor: "anthropic", latency: noLatency })
  const openai = yield* LoopbackVendor.make({ vendor: "openai", latency: noLatency })
  yield* anthropic.fail({ kind: "stream", at: "after_start", does: { kind: "overloaded" } })
  yield* anthropic.fail({ kind: "stream", at: "after_content", events: 6, does: "reset" })
  const Providers = Layer.mergeAll(
    Anthropic.layer({
      name: "anthropic",
      client: new AnthropicClient({ apiKey: "any", baseURL: anthropic.url }),
      weight: 9
    }),
    OpenAi.layer({ name: "openai", client: new OpenAI({ apiKey: "any", baseURL: openai.url }) })
  )
  const Live = RouterLive.pipe(
    Layer.provide(Providers),
    Layer.provide([ProviderRegistry.layer, RouterState.layerMemory])
  )
  yield* Effect.provide(program, Live)
})

await Effect.runPromise(Effect.scoped(main))
