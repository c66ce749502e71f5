/**
 * From anything a vendor's SDK throws to a `ProviderFailure`: one table of signals, read from the top, and the first
 * row that matches gives the class. The rows know signals, not vendors: most error bodies are shared by several of
 * them. The order is the rule: what the body says before what the status says, and a spent quota before a rate limit,
 * since both come as 429.
 *
 * Sources: the error references of OpenAI, Anthropic, Google (`google.rpc.Status`), Groq, Azure OpenAI and OpenRouter;
 * the error types in the SDK packages; Bifrost's failure classes.
 *
 * @since 0.1.0
 */
import { ProviderFailure } from "@route-llm/core"
import type { ChatRequest, FailureClass, LimitReading } from "@route-llm/core"
import type { FailureRule } from "./FailureRule.ts"
import { rules } from "./internal/failureRules.ts"
import { readSignal } from "./internal/failureSignal.ts"
import type { FailureSignal } from "./internal/failureSignal.ts"
import { at, safely } from "./internal/json.ts"
import { isSound, limitsOfAnswer, limitsOfRefusal } from "./internal/limitReadings.ts"
import { presentable } from "./internal/redact.ts"
import { retryAfterMs } from "./internal/retryAfter.ts"
import type { AdapterName } from "./ProviderOptions.ts"

/** A pattern with the flag `g` remembers where it was; `search` does not ask it. */
const isIn = (text: string, pattern: RegExp): boolean => text.search(pattern) >= 0

const hasStatus = (status: ReadonlyArray<number> | "none", signal: FailureSignal): boolean =>
  status === "none"
    ? signal.status === undefined && !signal.isVendors
    : signal.status !== undefined && status.includes(signal.status)

const matches = (rule: FailureRule, signal: FailureSignal): boolean =>
  (rule.status === undefined || hasStatus(rule.status, signal))
  && (rule.code === undefined || signal.codes.some((code) => rule.code !== undefined && isIn(code, rule.code)))
  && (rule.message === undefined || isIn(signal.message, rule.message))
  && (rule.body === undefined || signal.isVendors)

/**
 * What is known beside the thrown value.
 *
 * @since 0.1.0
 */
export interface ClassifyContext {
  /** The wall clock's, for what a vendor says in dates. */
  readonly nowMs: number
  /** Whose vendor it was; some count other things under the same names. */
  readonly adapter?: AdapterName | undefined
  /** Of the answer, where the thrown value does not hold them itself. */
  readonly headers?: unknown
  /** The caller's own signal was aborted; an abort without it is the SDK's timeout. */
  readonly aborted?: boolean | undefined
  /** Keys that must not show in the message; the known forms of keys are redacted anyway. */
  readonly secrets?: ReadonlyArray<string> | undefined
  /** A message that quotes the request is withheld. */
  readonly request?: ChatRequest | undefined
  /** Read before the table; the first row that matches counts. */
  readonly rules?: ReadonlyArray<FailureRule> | undefined
}

/**
 * A failure that an adapter has classified itself gets what the answer's headers said, and loses figures that are none:
 * `Number` makes NaN of what a vendor writes in another way.
 */
const completed = (failure: ProviderFailure, heard: ReadonlyArray<LimitReading> | undefined): ProviderFailure => {
  const { retryAfterMs: asked } = failure
  const retryAfterMs = asked === undefined || (asked > 0 && asked < Infinity) ? asked : undefined
  const limits = failure.limits === undefined ? heard : failure.limits.filter(isSound)
  const isComplete = retryAfterMs === asked && limits?.length === failure.limits?.length
  // An error's message is no enumerable property, so a spread would lose it.
  return isComplete ? failure : new ProviderFailure({ ...failure, message: failure.message, retryAfterMs, limits })
}

/** Others describe other refusals, where words can quote a request that says "try again in a day". */
const timed: ReadonlySet<FailureClass> = new Set<FailureClass>(["rate_limit", "quota", "overloaded"])

/**
 * Any thrown value as a `ProviderFailure`, with what the vendor said of its limits. What no row knows (other 5xx, JSON
 * that does not parse, a value that is no error) is `transient`. The message is at most 300 characters; the thrown
 * value itself is not kept, since it holds bodies and headers.
 *
 * @since 0.1.0
 */
export const classify = (thrown: unknown, context: ClassifyContext): ProviderFailure => {
  const heard = { adapter: context.adapter, nowMs: context.nowMs }
  if (thrown instanceof ProviderFailure) return completed(thrown, limitsOfAnswer(context.headers, heard))
  const headers = safely(() => at(thrown, "headers"), undefined) ?? context.headers
  const read = readSignal(thrown, headers)
  const signal = context.aborted === true ? { ...read, codes: ["caller_aborted", ...read.codes] } : read
  const isMet = (rule: FailureRule) => matches(rule, signal)
  const rule = context.rules?.find(isMet) ?? rules.find(isMet)
  const failureClass = rule?.class ?? "transient"
  const { bodies, message, status, words } = signal
  return new ProviderFailure({
    class: failureClass,
    message: presentable(message, { secrets: context.secrets ?? [], request: context.request }),
    status,
    code: signal.code,
    retryAfterMs: rule?.retryAfter === "ignored"
      ? undefined
      : retryAfterMs(headers, { bodies, message: timed.has(failureClass) ? message : "", nowMs: context.nowMs }),
    limits: limitsOfRefusal({ headers, status, bodies, words }, heard)
  })
}
