/**
 * What a router tells about itself while it works. No event holds a key, a prompt or an answer.
 *
 * @since 0.1.0
 */
import { Context } from "effect"
import type { Priority } from "./ChatRequest.ts"
import type { FailureClass } from "./FailureClass.ts"
import type { StateChange } from "./StateChange.ts"

/**
 * One attempt of one route has ended, in success or failure.
 *
 * @since 0.1.0
 */
export interface RouteEvent {
  readonly _tag: "RouteEvent"
  readonly outcome: "success" | FailureClass
  readonly provider: string
  readonly model: string
  /** As the vendor reported; the estimate where it reported none; 0 where a failed attempt's use is unknown. */
  readonly inputTokens: number
  readonly outputTokens: number
  readonly latencyMs: number
  /** Of an answer that was streamed and had begun. */
  readonly firstTokenMs?: number | undefined
  /** In line, before this attempt. */
  readonly waitedMs: number
  /** Of the provider after this attempt: share of the scarcest limit that is free, 0 to 100. */
  readonly headroomPct: number
  /** Of the provider after this attempt. */
  readonly circuitOpen: boolean
  /** Milliseconds since 1970, when the attempt ended. */
  readonly timestamp: number
  /** 1 for the first attempt of a route. */
  readonly attemptNumber: number
  readonly sessionId?: string | undefined
  readonly priority: Priority
}

/** @since 0.1.0 */
export type RouterEvent = RouteEvent | StateChange

/**
 * Called with each `RouteEvent`, in the caller's fiber, before the answer is handed over. What it throws changes
 * nothing. Without a layer nobody listens.
 *
 * @since 0.1.0
 */
export class RouteListener extends Context.Reference<RouteListener>()("@route-llm/core/RouteListener", {
  defaultValue: () => (_event: RouteEvent): void => {}
}) {}
