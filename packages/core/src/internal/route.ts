import { Either, Exit, type ParseResult, Schema } from "effect"
import { ChatRequest } from "../ChatRequest.ts"
import type { ProviderResponse } from "../ChatResponse.ts"
import type { RouteReason } from "../Explanation.ts"
import type { Provider } from "../Provider.ts"
import {
  AllProvidersFailed,
  InvalidRequest,
  NoCapacity,
  NoProvidersConfigured,
  QueueFull,
  TokenLimitExceeded,
  UnknownProvider
} from "../RouterError.ts"
import type { EndedBy, FailedAttempt, RouterError } from "../RouterError.ts"
import type { FellBack, RouteEvent } from "../RouterEvent.ts"
import type { Refusal, Reservation, Settled } from "../RouterState.ts"
import type { Outcome } from "./ending.ts"
import type { Journey } from "./Journey.ts"
import { toIssues } from "./schemaIssues.ts"

const validate = Schema.validateEither(ChatRequest, { onExcessProperty: "error" })

/** What is wrong first. What has no end, or none that is near, cannot even be said to be wrong. */
const issueOf = (error: ParseResult.ParseError): { readonly path: string; readonly issue: string } => {
  try {
    const { issue, path } = toIssues(error)[0]
    // Up to ", actual …", which would print the value: it may be the prompt.
    return { path, issue: issue.split(", actual ", 1)[0]! }
  } catch {
    return { path: "(root)", issue: "is nested too deeply to be read" }
  }
}

/** The request, or what is wrong with it first. */
export const checkRequest = (request: ChatRequest): Either.Either<ChatRequest, InvalidRequest> =>
  Either.match(validate(request), {
    onRight: () => Either.right(request),
    onLeft: (error: ParseResult.ParseError) => Either.left(new InvalidRequest(issueOf(error)))
  })

/** One request on its way through attempts. */
export interface Route {
  readonly journey: Journey
  readonly request: ChatRequest
  readonly inputTokens: number
  readonly deadlineMs: number
  readonly timeoutMs: number
  /** How long an attempt may wait in line, at most. */
  readonly maxWaitMs: number
  readonly maxAttempts: number
  /** How long an attempt may take, at most; absent: as much as is sensible. */
  readonly attemptTimeoutMs: number | undefined
  readonly streams: boolean
  /** Grows with each attempt that failed. */
  readonly failed: Array<FailedAttempt>
  /** The first attempt of the present round. */
  roundStart: number
}

/**
 * When the soonest of them is back, as far as is known: by its refusal, else by its last attempt. `undefined` where one
 * that failed for the moment has named no time: it may be well again already.
 */
const backInMs = (
  failed: ReadonlyArray<FailedAttempt>,
  refusals: ReadonlyArray<Refusal>,
  nowMs: number
): number | undefined => {
  const back = new Map<string, number | undefined>()
  for (const { action, provider, retryAfterMs, timestamp } of failed) {
    const isGone = retryAfterMs === undefined && action !== "retry" && action !== "wait"
    back.set(
      provider,
      isGone ? Number.POSITIVE_INFINITY : retryAfterMs && Math.max(0, timestamp + retryAfterMs - nowMs)
    )
  }
  for (const { provider, retryAfterMs } of refusals) back.set(provider, retryAfterMs)
  const all = [...back.values()]
  const known = all.filter((ms) => ms !== undefined)
  const soonest = Math.min(...known)
  return known.length < all.length || soonest === Number.POSITIVE_INFINITY ? undefined : soonest
}

/** What a route ends with when no candidate is left: by what was tried, and why the others were refused. */
export const exhausted = (
  { failed, request }: Route,
  refusals: ReadonlyArray<Refusal>,
  nowMs: number,
  endedBy?: EndedBy
): RouterError => {
  const perProvider = refusals.filter(({ reason }) => reason !== "tried" && reason !== "not_forced")
  if (failed.length > 0) {
    return new AllProvidersFailed({
      attempts: [...failed],
      perProvider,
      endedBy,
      retryAfterMs: backInMs(failed, perProvider, nowMs)
    })
  }
  // Providers can leave between the check and the attempt.
  if (refusals.length === 0) return new NoProvidersConfigured()
  if (perProvider.length === 0) {
    const registered = refusals.map(({ provider }) => provider)
    return new UnknownProvider({ provider: request.forceProvider ?? "", registered })
  }
  if (perProvider.every(({ reason }) => reason === "too_large")) {
    return new TokenLimitExceeded({
      neededTokens: Math.min(...perProvider.map(({ needed }) => needed ?? 0)),
      largestLimit: Math.max(...perProvider.map(({ limit }) => limit ?? 0)),
      perProvider
    })
  }
  return new NoCapacity({ retryAfterMs: Math.min(...perProvider.map((each) => each.retryAfterMs)), perProvider })
}

/** What a route ends with when the line is full. */
export const turnedAway = (route: Route, waiting: number, nowMs: number): RouterError =>
  route.failed.length > 0 ? exhausted(route, [], nowMs) : new QueueFull({ waiting })

interface Tokens {
  readonly inputTokens: number
  readonly outputTokens: number
}

/** What the answer took: as reported, else as it was reserved. */
const tokensOf = ({ usage }: Pick<ProviderResponse, "usage">, reserved: Tokens): Tokens => {
  const { inputTokens, outputTokens } = usage ?? reserved
  return { inputTokens, outputTokens }
}

/** The route's answer. */
export const answerOf = (route: Route, reservation: Reservation, response: ProviderResponse, latencyMs: number) => ({
  content: response.content,
  provider: reservation.provider,
  model: response.model,
  ...tokensOf(response, reservation),
  latencyMs,
  attempts: route.failed.length + 1,
  finishReason: response.finishReason,
  toolCalls: response.toolCalls,
  route: route.journey.trace,
  raw: response.raw
})

/** Why it was granted there; of a driver that does not tell, as far as the request says. */
const reasonOf = ({ request }: Route, { lastResort, reason }: Reservation): RouteReason =>
  reason ?? (lastResort === true ? "last_resort" : request.forceProvider === undefined ? "ranked" : "forced")

/** The attempt before, and how it failed. */
const fallbackOf = ({ failed }: Route): RouteEvent["fallbackFrom"] => {
  const before = failed.at(-1)
  return before && { provider: before.provider, class: before.class }
}

/** What is told of a call that begins after another has failed; of the first call, nothing. */
export const fellBackOf = (route: Route, to: string, timestamp: number): FellBack | undefined => {
  const from = fallbackOf(route)
  const { priority, sessionId } = route.journey
  return from && {
    _tag: "FellBack",
    from: from.provider,
    because: from.class,
    to,
    attemptNumber: route.failed.length + 1,
    timestamp,
    sessionId,
    priority
  }
}

const nothing: Tokens = { inputTokens: 0, outputTokens: 0 }

/** A provider may be anyone's own code: what it reports is told only where it is a count. */
const counted = (reported: Tokens, otherwise: Tokens): Tokens => {
  const count = (of: keyof Tokens) => Number.isFinite(reported[of]) && reported[of] >= 0 ? reported[of] : otherwise[of]
  return { inputTokens: count("inputTokens"), outputTokens: count("outputTokens") }
}

/** What is told of an attempt that has ended; `state` is the provider's after it. */
export const eventOf = (
  route: Route,
  reservation: Reservation,
  { exit, latencyMs, settlement }: Outcome,
  after: {
    readonly provider: Provider
    readonly state: Settled | undefined
    readonly waitedMs: number
    readonly timestamp: number
  }
): RouteEvent => ({
  _tag: "RouteEvent",
  reason: reasonOf(route, reservation),
  fallbackFrom: fallbackOf(route),
  outcome: settlement._tag === "Failure" ? settlement.class : "success",
  provider: reservation.provider,
  model: Exit.isSuccess(exit) && typeof exit.value.model === "string" ? exit.value.model : after.provider.model,
  ...(Exit.isSuccess(exit)
    ? counted(exit.value.usage ?? reservation, reservation)
    : counted(settlement.usage ?? nothing, nothing)),
  latencyMs,
  firstTokenMs: settlement.firstTokenMs,
  waitedMs: after.waitedMs,
  headroomPct: (after.state?.headroom ?? 0) * 100,
  circuitOpen: after.state?.circuit === "open",
  timestamp: after.timestamp,
  attemptNumber: route.failed.length + 1,
  sessionId: route.request.sessionId,
  priority: route.request.priority ?? "normal"
})
