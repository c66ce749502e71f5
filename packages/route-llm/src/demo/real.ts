/**
 * A handful of small requests to the real vendors whose keys are in the environment: one forced to each provider, then
 * some that the router places itself.
 */
import type { ChatRequest, ChatResponse, InvalidConfig, MissingPackage, RouterError } from "@route-llm/core"
import { Console, Effect } from "effect"
import { LLMRouter } from "../LLMRouter.ts"

const ask: ChatRequest = {
  messages: [{ role: "user", content: "Answer with one word: what colour is a clear sky?" }],
  maxTokens: 200,
  timeout: "30 seconds"
}

const freeRequests = 3

const openRouter = Effect.acquireRelease(
  Effect.try({ try: () => LLMRouter.fromEnv(), catch: (error) => error as InvalidConfig }),
  (router) => Effect.promise(() => router.close())
)

const send = (router: LLMRouter, request: ChatRequest) =>
  Effect.tryPromise({ try: () => router.chat(request), catch: (error) => error as RouterError | MissingPackage }).pipe(
    Effect.either
  )

const describe = ({ content, inputTokens, latencyMs, model, outputTokens, provider }: ChatResponse): string =>
  `${provider} (${model}): ${content.trim().slice(0, 60)} [${inputTokens} + ${outputTokens} tokens, ${
    Math.round(latencyMs)
  } ms]`

export const real = (json: boolean) =>
  Effect.scoped(Effect.gen(function*() {
    const router = yield* openRouter
    const names = Object.keys(yield* Effect.promise(() => router.status()))
    const requests = [
      ...names.map((forceProvider) => ({ ...ask, forceProvider })),
      ...Array.from({ length: freeRequests }, () => ask)
    ]
    const answers = yield* Effect.forEach(requests, (request) => send(router, request))
    const rows = answers.map((answer) =>
      answer._tag === "Left" ? { error: answer.left.message } : { ...answer.right, raw: undefined }
    )
    if (answers.every((answer) => answer._tag === "Left")) yield* Effect.sync(() => process.exitCode = 1)
    yield* json
      ? Console.log(JSON.stringify(rows, null, 2))
      : Effect.forEach(answers, (answer) =>
        Console.log(answer._tag === "Left" ? answer.left.message : describe(answer.right)))
  }))
