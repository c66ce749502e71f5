/**
 * What a vendor's signal means: one row of the table by which `classify` reads it.
 *
 * ```ts no-run
 * import { OpenAi } from "@route-llm/providers"
 * import OpenAI from "openai"
 *
 * // A gateway of your own that says so when its upstream has no capacity, under a status that means something else.
 * const ProviderLive = OpenAi.layer({
 *   name: "gateway",
 *   client: new OpenAI({ baseURL: "https://llm.example.com/v1" }),
 *   failures: [{ class: "overloaded", status: [400], message: /no upstream has capacity/i }]
 * })
 * ```
 *
 * @since 0.1.0
 */
import type { FailureClass } from "@route-llm/core"

/**
 * It matches where every condition it names holds, and one that names none matches everything.
 *
 * @since 0.1.0
 */
export interface FailureRule {
  readonly class: FailureClass
  /** The HTTP status is one of these; `none`: nobody answered, neither with a status nor with an error's body. */
  readonly status?: ReadonlyArray<number> | "none" | undefined
  /** One of the codes, types, reasons and quota ids in the body, or the name or code of the error or its causes. */
  readonly code?: RegExp | undefined
  /** The vendor's words. Use it with `status`: words can quote a prompt. */
  readonly message?: RegExp | undefined
  /** The vendor itself answered, in its error format or in other JSON: no proxy, no load balancer. */
  readonly body?: true | undefined
  /** What the vendor says about when to come back is known to be wrong here. */
  readonly retryAfter?: "ignored" | undefined
}
