/**
 * Lanes: a share of every window that only high-priority requests may use. Scripted providers on a test clock stand in
 * for vendors, so it runs at once and always the same.
 */
import { type ChatRequest, Router } from "@route-llm/core"
import { RouterTest } from "@route-llm/core/testing"
import { Console, Effect, Layer, TestContext } from "effect"

const ask = (priority: "high" | "normal" | "low"): ChatRequest => ({
  messages: [{ role: "user", content: "Hello" }],
  priority,
  // Without it the low request would wait in line until there is room for its lane.
  onSaturated: "fail"
})

const program = Effect.gen(function*() {
  const router = yield* Router
  for (let turn = 0; turn < 8; turn++) yield* router.chat(ask("normal"))
  const refused = yield* Effect.flip(router.chat(ask("low")))
  yield* Console.log(refused.message)
  const { provider } = yield* router.chat(ask("high"))
  yield* Console.log(`high priority: ${provider}`)
})

const Live = RouterTest.layer({ only: { rpm: 10 } }, { highPriorityReservePct: 20 })

await Effect.runPromise(Effect.provide(program, Layer.merge(Live, TestContext.TestContext)))
