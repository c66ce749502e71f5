/**
 * The router as people look at it: one row a provider.
 *
 * @since 0.1.0
 */
import type { FailureClass } from "./FailureClass.ts"
import type { Dimension } from "./RateLimit.ts"
import type { ProviderState } from "./RouterState.ts"

/**
 * How much of a limit is used; `learned` where the limit in force was not declared but told by the vendor or met.
 *
 * @since 0.1.0
 */
export interface LimitStatus {
  readonly used: number
  readonly limit: number
  readonly learned: boolean
}

/**
 * Limits that are not known are absent; percentages are 0 to 100.
 *
 * @since 0.1.0
 */
export interface ProviderStatus {
  readonly model: string
  /** Requests in the window, those under way included. */
  readonly rpmUsed: number
  readonly rpmLimit?: number | undefined
  /** Tokens in the window, those reserved included. */
  readonly tpmUsed: number
  readonly tpmLimit?: number | undefined
  /** Of the scarcest limit. */
  readonly headroomPct: number
  readonly circuitOpen: boolean
  readonly circuit: ProviderState["circuit"]
  readonly circuitRetryAfterMs?: number | undefined
  readonly benchedForMs?: number | undefined
  readonly benchedBecause?: FailureClass | undefined
  readonly avgLatencyMs: number
  /** To the first token of streamed answers. */
  readonly avgFirstTokenMs: number
  readonly inFlight: number
  /** Every limit that is known, by dimension. */
  readonly limits: Readonly<Partial<Record<Dimension, LimitStatus>>>
  /** When it runs dry at the present rate, if within the look-ahead. */
  readonly dryInMs?: number | undefined
}

/** By provider name. @since 0.1.0 */
export type RouterStatus = Readonly<Record<string, ProviderStatus>>

const declared = (limit: number): number | undefined => Number.isFinite(limit) ? limit : undefined

export const toStatus = (states: ReadonlyArray<ProviderState>): RouterStatus =>
  Object.fromEntries(states.map((state): [string, ProviderStatus] => [state.name, {
    model: state.model,
    rpmUsed: state.requestsUsed,
    rpmLimit: declared(state.requestLimit),
    tpmUsed: state.tokensUsed,
    tpmLimit: declared(state.tokenLimit),
    headroomPct: state.headroom * 100,
    circuitOpen: state.circuit === "open",
    circuit: state.circuit,
    circuitRetryAfterMs: state.circuitRetryAfterMs,
    benchedForMs: state.benched?.forMs,
    benchedBecause: state.benched?.because,
    avgLatencyMs: state.latencyMs,
    avgFirstTokenMs: state.firstTokenMs,
    inFlight: state.inFlight,
    limits: Object.fromEntries(
      state.limits.map(({ dimension, ...limit }): [string, LimitStatus] => [dimension, limit])
    ),
    dryInMs: state.dryInMs
  }]))
