/**
 * The kernel, for those who write a driver of `RouterState` over a store of their own. It is not for applications, and
 * changes whenever a driver needs it to.
 *
 * @since 0.1.0
 */
export { monotonicMs } from "../internal/clock.ts"
export { makeDispatcher } from "../internal/dispatcher.ts"
export { Milliseconds, PositiveMilliseconds } from "../internal/duration.ts"
export { makeHub } from "../internal/hub.ts"
export { laneRank } from "../internal/kernel/Admission.ts"
export { Ledger } from "../internal/kernel/Ledger.ts"
export { Line } from "../internal/kernel/Line.ts"
export { rowOf, rows } from "../internal/kernel/Meter.ts"
export { type Outcome, outcomeOf } from "../internal/kernel/Outcome.ts"
export type { ProviderLedger } from "../internal/kernel/ProviderLedger.ts"
export {
  failureClasses,
  fieldCount,
  fields,
  hasWords,
  initialWords,
  type ProviderRecord,
  restore,
  wordCount,
  wordFields,
  wordRows
} from "../internal/kernel/Record.ts"
export { patience } from "../internal/kernel/Settling.ts"
export type { Waiter } from "../internal/kernel/Waiter.ts"
export { latelyRing } from "../internal/kernel/Windows.ts"
export { toInvalidConfig } from "../internal/schemaIssues.ts"
