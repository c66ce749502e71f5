import { Cause, type Clock, Exit, FiberId, Option } from "effect"
import type { ChatRequest, Priority } from "../ChatRequest.ts"
import type { ExplainedAttempt, RouteTrace } from "../Explanation.ts"
import type { RouterError, StreamInterrupted } from "../RouterError.ts"
import type { RouteEnded, RouteEvent, RouteOutcome } from "../RouterEvent.ts"
import type { Reservation } from "../RouterState.ts"
import { monotonicMs } from "./clock.ts"
import type { RouteSpan } from "./tracing.ts"

/** How a route ended, and who answered. */
interface Ending {
  readonly outcome: RouteOutcome
  readonly provider?: string | undefined
  readonly exit: Exit.Exit<void, RouterError | StreamInterrupted>
}

/** What is remembered of one request from its arrival to its end, to be told then; through restarts of its answer too. */
export class Journey {
  /** As far as the request is known to be one. */
  priority: Priority = "normal"
  sessionId: string | undefined
  calls = 0
  waitedMs = 0
  readonly startedMs: number
  #attempts: Array<ExplainedAttempt> | undefined
  #hasEnded = false

  constructor(
    readonly clock: Clock.Clock,
    readonly onEnd: (event: RouteEnded) => void,
    readonly span: RouteSpan | undefined
  ) {
    this.startedMs = monotonicMs(clock)
  }

  /** The request has been checked. */
  accept({ explain, priority, sessionId }: ChatRequest): void {
    this.priority = priority ?? "normal"
    this.sessionId = sessionId
    if (explain === true) this.#attempts = []
  }

  called(waitedMs: number): void {
    this.calls++
    this.waitedMs += waitedMs
  }

  /** An attempt has ended. */
  explain({ latencyMs, outcome, provider, reason, waitedMs }: RouteEvent, { explanation }: Reservation): void {
    this.#attempts?.push({ provider, reason, outcome, latencyMs, waitedMs, explanation })
  }

  /** Where the request has asked for it. */
  get trace(): RouteTrace | undefined {
    return this.#attempts && { attempts: [...this.#attempts] }
  }

  /** With an answer. */
  answered(provider: string): void {
    this.#end({ outcome: "success", provider, exit: Exit.void })
  }

  /** Its caller has given up. */
  left(): void {
    this.#end({ outcome: "cancelled", exit: Exit.interrupt(FiberId.none) })
  }

  /** Without an answer. Where it is no error of the router's, its caller has given up. */
  failed(cause: Cause.Cause<RouterError | StreamInterrupted>): void {
    const error = Cause.failureOption(cause)
    if (Option.isNone(error)) return this.left()
    this.#end({ outcome: error.value._tag, exit: Exit.fail(error.value) })
  }

  /** Told once, however often it is said. */
  #end({ exit, outcome, provider }: Ending): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    const event: RouteEnded = {
      _tag: "RouteEnded",
      outcome,
      provider,
      attempts: this.calls,
      latencyMs: monotonicMs(this.clock) - this.startedMs,
      waitedMs: this.waitedMs,
      timestamp: this.clock.unsafeCurrentTimeMillis(),
      sessionId: this.sessionId,
      priority: this.priority
    }
    this.span?.end(event, exit)
    this.onEnd(event)
  }
}
