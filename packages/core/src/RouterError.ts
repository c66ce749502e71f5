/**
 * Every error of this package: what a route can fail with (`RouterError`, closed) and what building a router can.
 * Each message says what happened, with figures, and what to do. None holds a key, a prompt or an answer.
 *
 * @since 0.1.0
 */
import { Data } from "effect"
import type { Usage } from "./ChatResponse.ts"
import type { Consequence, FailureClass } from "./FailureClass.ts"
import {
  advice,
  describeAttempt,
  describeCause,
  describeRefusal,
  endings,
  lasting,
  neverBack,
  seconds,
  times
} from "./internal/errorText.ts"
import type { Refusal } from "./RouterState.ts"

/** The request itself is wrong; nothing was sent. `path` names the field. @since 0.1.0 */
export class InvalidRequest extends Data.TaggedError("InvalidRequest")<{
  readonly path: string
  readonly issue: string
}> {
  readonly isRetryable = false
  override get message(): string {
    return `Invalid request at \`${this.path}\`: ${this.issue}. Nothing was sent.`
  }
}

/** `forceProvider` names a provider that is not registered; nothing was sent. @since 0.1.0 */
export class UnknownProvider extends Data.TaggedError("UnknownProvider")<{
  readonly provider: string
  readonly registered: ReadonlyArray<string>
}> {
  readonly isRetryable = false
  override get message(): string {
    return `No provider is named "${this.provider}". Registered: ${this.registered.join(", ") || "none"}.`
  }
}

/** The router has no provider at all. @since 0.1.0 */
export class NoProvidersConfigured extends Data.TaggedError("NoProvidersConfigured")<{}> {
  readonly isRetryable = false
  override get message(): string {
    return "The router has no provider. Register one, or set a key such as OPENAI_API_KEY and use fromEnv()."
  }
}

/** The request needs more tokens than any candidate allows in a whole window, so waiting cannot help. @since 0.1.0 */
export class TokenLimitExceeded extends Data.TaggedError("TokenLimitExceeded")<{
  readonly neededTokens: number
  readonly largestLimit: number
  readonly perProvider: ReadonlyArray<Refusal>
}> {
  readonly isRetryable = false
  override get message(): string {
    return `The request needs about ${this.neededTokens} tokens; the largest limit is ${this.largestLimit}. `
      + "Shorten the messages, lower maxTokens, or raise a provider's limit."
  }
}

/**
 * No candidate may take the request: each is full, benched or has an open circuit, and its time would come too late or
 * it must not wait. `retryAfterMs` is the earliest moment that changes, counted from now; `Infinity` where waiting does
 * not help.
 *
 * @since 0.1.0
 */
export class NoCapacity extends Data.TaggedError("NoCapacity")<{
  readonly retryAfterMs: number
  readonly perProvider: ReadonlyArray<Refusal>
}> {
  get isRetryable(): boolean {
    return Number.isFinite(this.retryAfterMs)
  }
  override get message(): string {
    return `No provider can take the request now. ${this.perProvider.map(describeRefusal).join("; ")}. `
      + (this.isRetryable
        ? `Try again in ${seconds(this.retryAfterMs)}, or add a provider.`
        : `Waiting does not help: ${neverBack(this.perProvider)}.`)
  }
}

/**
 * Every candidate is full, and as many requests wait in line as may (`RouterOptions.waiting.maxWaiting`).
 *
 * @since 0.1.0
 */
export class QueueFull extends Data.TaggedError("QueueFull")<{
  readonly waiting: number
}> {
  readonly isRetryable = true
  override get message(): string {
    return `No provider can take the request now, and ${this.waiting} requests wait already, which is the most allowed. `
      + "Send less, add a provider, or raise waiting.maxWaiting."
  }
}

/** One attempt of a route that failed. @since 0.1.0 */
export interface FailedAttempt {
  readonly provider: string
  readonly model: string
  readonly class: FailureClass
  readonly status?: number | undefined
  readonly latencyMs: number
  readonly message: string
  /** What the route did about it; see `Consequence.request`. */
  readonly action: Consequence["request"]
  /** Milliseconds since 1970, when it ended. */
  readonly timestamp: number
  /** When it might be called again, counted from its end: as the vendor asked, else the end of its bench. */
  readonly retryAfterMs?: number | undefined
}

/**
 * Why a route that might have gone on ended: the schedule of rounds said so, it had made the most calls it may, another
 * round could not have ended in time, or too many retries were under way already.
 *
 * @since 0.1.0
 */
export type EndedBy = "schedule" | "maxAttempts" | "timeout" | "retryBudget"

/**
 * Providers were called and none answered. `attempts` holds each call in order; `perProvider` those that were not
 * called, and why. A caller's own mistake (`caller_fault`, `content_policy`) ends the route at its first attempt.
 * `isRetryable`: the same request may be answered later, at the soonest after `retryAfterMs` where that is known.
 *
 * @since 0.1.0
 */
export class AllProvidersFailed extends Data.TaggedError("AllProvidersFailed")<{
  readonly attempts: ReadonlyArray<FailedAttempt>
  readonly perProvider: ReadonlyArray<Refusal>
  readonly retryAfterMs?: number | undefined
  readonly endedBy?: EndedBy | undefined
}> {
  get isRetryable(): boolean {
    if (this.attempts.some(({ action }) => action === "fail")) return false
    return this.attempts.some(({ class: failure }) => !lasting.has(failure))
      || this.perProvider.some(({ retryAfterMs }) => Number.isFinite(retryAfterMs))
  }
  override get message(): string {
    const failed = `${times(this.attempts.length, "attempt")} failed. ${this.attempts.map(describeAttempt).join("; ")}.`
    const refused = this.perProvider.length === 0
      ? []
      : [`Not called: ${this.perProvider.map(describeRefusal).join("; ")}.`]
    const ended = this.endedBy === undefined ? [] : [endings[this.endedBy]]
    // What ended the route is what to do something about.
    const decisive = this.attempts.filter(({ action }) => action === "fail")
    const todo = (decisive.length > 0 ? decisive : this.attempts).flatMap(({ class: failure }) => advice[failure] ?? [])
    const again = this.isRetryable && this.retryAfterMs !== undefined
      ? [`Try again in ${seconds(this.retryAfterMs)}.`]
      : []
    return [failed, ...refused, ...ended, ...new Set(todo.map((what) => `${what}.`)), ...again].join(" ")
  }
}

/** The route's time was up; what was under way has been aborted. @since 0.1.0 */
export class DeadlineExceeded extends Data.TaggedError("DeadlineExceeded")<{
  readonly timeoutMs: number
  readonly attempts: ReadonlyArray<FailedAttempt>
}> {
  readonly isRetryable = true
  override get message(): string {
    return `No answer within ${seconds(this.timeoutMs)} (${times(this.attempts.length, "attempt")} had failed before). `
      + "Raise `timeout`, or look at the providers' latency in status()."
  }
}

/**
 * What had been received of an answer that was cut off. The text is at most its first million characters.
 *
 * @since 0.1.0
 */
export interface Received {
  readonly text: string
  readonly characters: number
}

/**
 * An answer that had begun to arrive was cut off: nothing of it is sent again by itself, since the reader has seen it.
 * `because` says how (`truncated`: it ended without its end); `usage` is as far as the vendor had told. `received` is the
 * answer so far; it is no enumerable property, so that whoever logs the error does not log the answer.
 *
 * @since 0.1.0
 */
export class StreamInterrupted extends Data.TaggedError("StreamInterrupted")<{
  readonly provider: string
  readonly model: string
  readonly because: FailureClass
  readonly detail: string
  readonly characters: number
  readonly usage?: Usage | undefined
  /** Every attempt of the route that failed, this one included. */
  readonly attempts: ReadonlyArray<FailedAttempt>
}> {
  readonly isRetryable = true
  declare readonly received: Received

  static readonly make = (
    { received, ...facts }: Omit<ConstructorParameters<typeof StreamInterrupted>[0], "characters"> & {
      readonly received: Received
    }
  ): StreamInterrupted =>
    Object.defineProperty(
      new StreamInterrupted({ ...facts, characters: received.characters }),
      "received",
      { value: received, enumerable: false }
    )

  override get message(): string {
    return `The answer of ${this.provider} was cut off after ${this.characters} characters: ${this.because}, ${this.detail}. `
      + "Ask again, or stream with onInterrupt: \"restart\"."
  }
}

/**
 * The router's state could not say where the request may go: a fault of the store behind it. Nothing was sent.
 *
 * @since 0.1.0
 */
export class StateUnavailable extends Data.TaggedError("StateUnavailable")<{
  readonly cause: unknown
}> {
  readonly isRetryable = true
  override get message(): string {
    const { cause } = this
    return `The router's state is not available (${describeCause(cause)}). `
      + "Nothing was sent: try again, and look at the store behind it."
  }
}

/** The router was closed before the request had been sent. @since 0.1.0 */
export class RouterClosed extends Data.TaggedError("RouterClosed")<{}> {
  readonly isRetryable = false
  override get message(): string {
    return "The router is closed. Make a new one, or close it later."
  }
}

/** All that a route can fail with. @since 0.1.0 */
export type RouterError =
  | InvalidRequest
  | UnknownProvider
  | NoProvidersConfigured
  | TokenLimitExceeded
  | NoCapacity
  | QueueFull
  | AllProvidersFailed
  | DeadlineExceeded
  | StateUnavailable
  | RouterClosed

/** Two providers of one router have one name. @since 0.1.0 */
export class DuplicateProvider extends Data.TaggedError("DuplicateProvider")<{ readonly provider: string }> {
  readonly isRetryable = false
  override get message(): string {
    return `A provider named "${this.provider}" is registered already. Give each a name of its own, such as "openai-eu".`
  }
}

/** One thing that is wrong in a configuration. Positions count from 1. @since 0.1.0 */
export interface ConfigIssue {
  /** Such as `providers[1].rpmLimit`. */
  readonly path: string
  readonly issue: string
  readonly line?: number | undefined
  readonly column?: number | undefined
}

/** A configuration that does not hold; `issues` has everything that is wrong, not only the first. @since 0.1.0 */
export class InvalidConfig extends Data.TaggedError("InvalidConfig")<{
  /** Where it came from: a file's name, `"environment"`, `"object"`. */
  readonly source: string
  readonly issues: readonly [ConfigIssue, ...ReadonlyArray<ConfigIssue>]
}> {
  readonly isRetryable = false
  override get message(): string {
    const lines = this.issues.map(({ column, issue, line, path }) =>
      `  ${line === undefined ? "" : `${line}:${column} `}${path}: ${issue}`
    )
    return `${times(this.issues.length, "problem")} in the configuration (${this.source}):\n${lines.join("\n")}`
  }
}

/** A package that is needed only for this is not installed. @since 0.1.0 */
export class MissingPackage extends Data.TaggedError("MissingPackage")<{
  readonly package: string
  readonly neededFor: string
}> {
  readonly isRetryable = false
  override get message(): string {
    return `${this.neededFor} needs the package ${this.package}: npm install ${this.package}`
  }
}
