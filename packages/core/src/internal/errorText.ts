/** What errors say: the words for figures, refusals, attempts, and what to do about each class of failure. */
import type { FailureClass } from "../FailureClass.ts"
import type { EndedBy, FailedAttempt } from "../RouterError.ts"
import type { Refusal } from "../RouterState.ts"

export const seconds = (ms: number): string => `${(Math.ceil(ms / 100) / 10).toFixed(1)} s`

export const times = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`

export const describeRefusal = ({ dimension, limit, needed, provider, reason, retryAfterMs }: Refusal): string =>
  `${provider}: ${reason}`
  + (dimension === undefined ? "" : ` (needs ${needed} of ${limit} ${dimension})`)
  + (Number.isFinite(retryAfterMs) ? `, free in ${seconds(retryAfterMs)}` : "")

/**
 * What a store says, without what it may hold of an address: user and password. Where that ends is not to be told from
 * the text, since a password may have any sign in it; so all is cut up to the last `@` there is.
 */
export const describeCause = (cause: unknown): string =>
  (cause instanceof Error ? cause.message : String(cause)).replace(/\/\/[^]*@/, "//…@")

export const describeAttempt = ({ class: failure, latencyMs, message, provider, status }: FailedAttempt): string =>
  `${provider}: ${failure}${status === undefined ? "" : ` (${status})`} after ${Math.round(latencyMs)} ms, ${message}`

export const endings: Readonly<Record<EndedBy, string>> = {
  schedule: "The schedule of rounds allows no other.",
  maxAttempts: "These are all that `maxAttempts` allows.",
  timeout: "There is no time for another round: raise `timeout`.",
  retryBudget: "Too few requests succeed for more retries: see `retryBudget`."
}

/** What to do about each class; what is momentary needs no advice. */
export const advice: { readonly [Class in FailureClass]?: string } = {
  quota: "Raise the spent quota or budget",
  credential: "Check the key, and what it may be used for",
  model_gone: "Check the model's name",
  context_too_long: "Shorten the messages, or add a provider with a larger contextWindow",
  request_too_large: "Send less at once, raise the vendor's limit, or add a provider that takes such requests",
  content_policy: "Change the content",
  caller_fault: "Correct the request"
}

/** Classes that the same request would meet again. */
export const lasting: ReadonlySet<FailureClass> = new Set<FailureClass>([
  "credential",
  "model_gone",
  "context_too_long",
  "request_too_large",
  "content_policy",
  "caller_fault",
  "cancelled"
])

/** What to do where none of them comes back by itself. */
export const neverBack = (refusals: ReadonlyArray<Refusal>): string => {
  const open = refusals.filter(({ reason }) => reason === "circuit_open").map(({ provider }) => provider)
  const large = refusals.some(({ reason }) => reason === "too_large")
  return [
    ...(open.length === 0 ? [] : [`forceClose what was opened by hand (${open.join(", ")})`]),
    ...(large ? ["send less, raise a limit, or lower highPriorityReservePct"] : [])
  ].join("; ") || "add a provider"
}
