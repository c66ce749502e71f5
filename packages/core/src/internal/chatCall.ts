import { Effect, Exit } from "effect"
import type { ChatRequest } from "../ChatRequest.ts"
import type { ChatResponse, ProviderResponse } from "../ChatResponse.ts"
import { type Provider, ProviderFailure } from "../Provider.ts"
import { type Budget, callProvider, type Ended } from "./callProvider.ts"
import { type Called, endAttempt, type Ending, failedSettlement, failureOf, type Outcome } from "./ending.ts"
import { answerOf, type Route } from "./route.ts"

/** A provider may be anyone's own code: what it answers is checked before it is taken for an answer. */
const isAnswer = (response: ProviderResponse): boolean =>
  typeof response === "object" && response !== null && typeof response.content === "string"

const notAnAnswer = () => new ProviderFailure({ class: "transient", message: "the adapter answered without content" })

const outcomeOf = ({ exit, latencyMs }: Ended<ProviderResponse>): Outcome => ({
  exit,
  latencyMs,
  settlement: Exit.isSuccess(exit)
    ? { _tag: "Success", usage: exit.value.usage ?? undefined, latencyMs, limits: exit.value.limits }
    : failedSettlement(failureOf(exit), latencyMs)
})

/** The call itself. */
export const wholeAnswer = (
  provider: Provider,
  request: ChatRequest
): Effect.Effect<ProviderResponse, ProviderFailure> =>
  Effect.filterOrFail(provider.chat(request), isAnswer, notAnAnswer)

/** The call of a whole answer: made, settled, told, answered. */
export const chatCall =
  (ending: Ending) => (route: Route, called: Called, budget: Budget): Effect.Effect<ChatResponse, ProviderFailure> => {
    const chat = () => wholeAnswer(called.provider, route.request)
    return Effect.flatMap(callProvider(chat, budget), (ended) => {
      const answer = Effect.map(
        ended.exit,
        (response) => answerOf(route, called.reservation, response, ended.latencyMs)
      )
      return Effect.zipRight(endAttempt(ending, route, called, outcomeOf(ended)), answer)
    })
  }
