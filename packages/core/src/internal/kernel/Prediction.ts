/**
 * When will a window run dry at the present rate? From three numbers, in O(1).
 *
 * The rate ρ is what was used in the window's newest quarter `q`, less one mean request: a count over a span
 * over-states a steady rate by up to one request, and steady traffic below the limit must never look at risk. What
 * was used before the quarter is taken to roll out evenly over the next `w − q`:
 *
 *   used(h) = total − (total − recent)·h/(w − q) + ρ·h    for h ≤ w − q
 *
 * After that the quarter itself rolls out, faster than ρ adds, so the use is largest now or at h = w − q.
 */

export interface Usage {
  /** Used and reserved in the whole window. */
  readonly total: number
  /** Of it, in the newest quarter. */
  readonly recent: number
  /** A mean request's share. */
  readonly perRequest: number
  readonly limit: number
}

/**
 * Milliseconds until the use passes the limit, if it does within `lookAheadMs`. `windowMs` is w, `recentMs` is q.
 */
export const dryInMs = (
  usage: Usage,
  span: { readonly windowMs: number; readonly recentMs: number; readonly lookAheadMs: number }
): number | undefined => {
  const rate = (usage.recent - usage.perRequest) / span.recentMs
  if (!(rate > 0) || usage.limit === Number.POSITIVE_INFINITY) return undefined
  const olderMs = span.windowMs - span.recentMs
  const within = (ms: number): number | undefined => ms <= span.lookAheadMs ? Math.max(0, ms) : undefined
  if (usage.total > usage.limit) return within(0)
  if (usage.recent + rate * olderMs <= usage.limit) return undefined
  return within((usage.limit - usage.total) / (rate - (usage.total - usage.recent) / olderMs))
}
