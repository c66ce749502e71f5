/** Requests over scripted providers on virtual time, and who was called for them. */
import { type ChatRequest, Router } from "@route-llm/core"
import { RouterTest, type ScriptedOutcome, type ScriptedProvider } from "@route-llm/core/testing"
import { Effect } from "effect"

export const hello: ChatRequest = { messages: [{ role: "user", content: "Hello" }], timeout: "60 seconds" }

export const chat = (request: Partial<ChatRequest> = {}) =>
  Effect.flatMap(Router, (router) => router.chat({ ...hello, ...request }))

/** Who was called when, such as `a@0`. */
export const calls = Effect.flatMap(
  RouterTest,
  (test) => Effect.map(test.calls, (seen) => seen.map(({ atMs, provider }) => `${provider}@${atMs}`))
)

export const on = (providers: Record<string, ScriptedProvider>, options: Parameters<typeof RouterTest.layer>[1] = {}) =>
  Effect.provide(RouterTest.layer(providers, options))

export const times = (count: number, outcome: ScriptedOutcome) => Array<ScriptedOutcome>(count).fill(outcome)
