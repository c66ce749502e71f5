import { Either, ParseResult, Schema } from "effect"
import { ChatRequest } from "../ChatRequest.ts"
import type { ProviderResponse } from "../ChatResponse.ts"
import { AllProvidersFailed, InvalidRequest, NoCapacity, TokenLimitExceeded } from "../RouterError.ts"
import type { FailedAttempt } from "../RouterError.ts"
import type { Refusal } from "../RouterState.ts"
import { toIssues } from "./schemaIssues.ts"

const validate = Schema.validateEither(ChatRequest, { onExcessProperty: "error" })

/** The request, or what is wrong with it first. */
export const checkRequest = (request: ChatRequest): Either.Either<ChatRequest, InvalidRequest> =>
  Either.match(validate(request), {
    onRight: () => Either.right(request),
    onLeft: (error: ParseResult.ParseError) => {
      const { issue, path } = toIssues(error)[0]
      // Up to ", actual …", which would print the value: it may be the prompt.
      return Either.left(new InvalidRequest({ path, issue: issue.split(", actual ", 1)[0]! }))
    }
  })

/** One request on its way through attempts. */
export interface Route {
  readonly request: ChatRequest
  readonly inputTokens: number
  readonly deadlineMs: number
  readonly timeoutMs: number
  /** Grows with each attempt that failed. */
  readonly failed: Array<FailedAttempt>
}

const earliest = (waits: ReadonlyArray<number | undefined>): number =>
  Math.min(...waits.filter((ms) => ms !== undefined))

/** What a route ends with when no candidate is left: by what was tried, and why the others were refused. */
export const exhausted = (
  { failed }: Route,
  refusals: ReadonlyArray<Refusal>
): AllProvidersFailed | NoCapacity | TokenLimitExceeded => {
  const perProvider = refusals.filter(({ reason }) => reason !== "tried" && reason !== "not_forced")
  const retryAfterMs = earliest([...perProvider, ...failed].map((each) => each.retryAfterMs))
  if (failed.length > 0) {
    return new AllProvidersFailed({
      attempts: failed,
      perProvider,
      retryAfterMs: Number.isFinite(retryAfterMs) ? retryAfterMs : undefined
    })
  }
  if (perProvider.every(({ reason }) => reason === "too_large")) {
    return new TokenLimitExceeded({
      neededTokens: Math.min(...perProvider.map(({ needed }) => needed ?? 0)),
      largestLimit: Math.max(...perProvider.map(({ limit }) => limit ?? 0)),
      perProvider
    })
  }
  return new NoCapacity({ retryAfterMs, perProvider })
}

/** What the answer took: as reported, else as it was reserved. */
export const usageOf = (
  response: ProviderResponse,
  reserved: { readonly inputTokens: number; readonly outputTokens: number }
): { readonly inputTokens: number; readonly outputTokens: number } => response.usage ?? reserved
