/**
 * Is a provider about to run dry? `Prediction.ts` answers it for one limit; here it is asked for each limit of the window
 * that is known. As of the provider's last `quote` or `measure`.
 */
import type { Meter } from "./Meter.ts"
import { dryInMs as predicted, runsDry } from "./Prediction.ts"
import type { ProviderLedger } from "./ProviderLedger.ts"

const total = (meter: Meter): number => meter.limit - meter.free

/** Whether a limit of the window is reached within the look-ahead, at the present rate. */
export const isAtRisk = (provider: ProviderLedger): boolean => {
  const { lately, latelyMs, minute } = provider.windows
  const olderShare = minute.windowMs / latelyMs - 1
  for (const meter of provider.bounded) {
    if (meter.window !== minute) continue
    if (runsDry(meter.sumIn(lately), meter.unit(total(meter)), meter.limit, olderShare)) {
      return dryInMs(provider) !== undefined
    }
  }
  return false
}

/** Milliseconds until the first limit of the window is reached; `undefined` beyond the look-ahead. */
export const dryInMs = ({ bounded, settings, windows }: ProviderLedger): number | undefined => {
  const { lately, latelyMs, minute } = windows
  const span = { windowMs: minute.windowMs, recentMs: latelyMs, lookAheadMs: settings.lookAhead }
  let soonest: number | undefined
  for (const meter of bounded) {
    if (meter.window !== minute) continue
    const used = total(meter)
    const usage = { total: used, recent: meter.sumIn(lately), perRequest: meter.unit(used), limit: meter.limit }
    const ms = predicted(usage, span)
    if (ms !== undefined && (soonest === undefined || ms < soonest)) soonest = ms
  }
  return soonest
}
