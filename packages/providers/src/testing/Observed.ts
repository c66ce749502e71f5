/**
 * What a loopback vendor has seen, as plain data.
 *
 * @since 0.1.0
 */

/**
 * `received` = `served` + `rateLimited` + `failed` + `aborted` + `inFlight`, at any moment.
 *
 * @since 0.1.0
 */
export interface Counts {
  /** Everything that reached the server, unknown addresses included. */
  readonly received: number
  /** Answered with success. */
  readonly served: number
  /** Refused for a limit, the vendor's own or a scripted one. */
  readonly rateLimited: number
  /** Answered with any other error, with a reset or garbage, or with a stream that broke. */
  readonly failed: number
  /** The client left before the answer. */
  readonly aborted: number
  readonly inFlight: number
  /** Of all admitted requests. */
  readonly inputTokens: number
  /** Of all answers, and of streams what had been written of them. */
  readonly outputTokens: number
  /** The most requests that were admitted within any one window. */
  readonly peakRequests: number
  /** The most tokens that were counted within any one window, input and output together. */
  readonly peakTokens: number
  /** The same of input and of output apart. */
  readonly peakInputTokens: number
  readonly peakOutputTokens: number
}

/**
 * A request as it came to the chat endpoint, keys redacted, without its query.
 *
 * @since 0.1.0
 */
export interface RecordedRequest {
  /** Since the vendor was made, in its time. */
  readonly atMs: number
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** As parsed; `undefined` if it was not JSON. */
  readonly body: unknown
}

/**
 * What an admitted request counted, with the very times at which the windows counted it, in the vendor's time.
 * `completedAtMs` is absent until it is answered.
 *
 * @since 0.1.0
 */
export interface AdmittedRequest {
  readonly atMs: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly completedAtMs?: number
}
