/**
 * When will a window run dry at the present rate? From three numbers, in O(1).
 *
 * The rate ρ is what was reserved in the window's newest quarter `q`, less one mean request: a count over a span
 * over-states a steady rate by up to one request, and steady traffic below the limit must never look at risk. A call that
 * was reserved before it is no part of the rate, however long it runs on. What is older than the quarter is taken to
 * roll out evenly over the next `w − q`:
 *
 *   used(h) = total − (total − recent)·h/(w − q) + ρ·h    for h ≤ w − q
 *
 * After that the quarter itself rolls out, faster than ρ adds, so the use is largest now or at h = w − q.
 */

export interface Usage {
  /** Used and reserved in the whole window. */
  readonly total: number
  /** Of it, reserved in the newest quarter. */
  readonly recent: number
  /** A mean request's share. */
  readonly perRequest: number
  readonly limit: number
}

export interface Span {
  readonly windowMs: number
  readonly recentMs: number
  readonly lookAheadMs: number
}

/**
 * Whether the use will pass the limit at all, at the present rate: the question of the hot path, and a `no` for most.
 */
export const runsDry = (recent: number, perRequest: number, limit: number, olderShare: number): boolean =>
  recent > perRequest && recent + (recent - perRequest) * olderShare > limit

/** Milliseconds until the use passes the limit, if it does within the look-ahead. */
export const dryInMs = (usage: Usage, span: Span): number | undefined => {
  const olderMs = span.windowMs - span.recentMs
  if (!runsDry(usage.recent, usage.perRequest, usage.limit, olderMs / span.recentMs)) return undefined
  const rate = (usage.recent - usage.perRequest) / span.recentMs
  const growth = rate - (usage.total - usage.recent) / olderMs
  const ms = usage.total >= usage.limit ? 0 : (usage.limit - usage.total) / growth
  return ms <= span.lookAheadMs ? ms : undefined
}
