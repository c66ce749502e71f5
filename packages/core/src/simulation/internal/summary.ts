/** What a simulation came to, and what must hold whatever the strategy. */
import type { VendorCounts } from "../SimulatedVendor.ts"
import type { Outcome } from "../Strategy.ts"

/** Of those served, in ms. @since 0.1.0 */
export interface Spread {
  readonly p50: number
  readonly p99: number
}

/**
 * @since 0.1.0
 */
export interface SimulationReport {
  readonly strategy: string
  readonly seed: number
  readonly requests: number
  readonly served: number
  /** Not served, by reason: the error's `_tag`. */
  readonly refused: Readonly<Record<string, number>>
  /** 429s that the vendors sent. */
  readonly rateLimited: number
  /** Of those served, from arrival to answer. */
  readonly latencyMs: Spread
  /** Of those served, before the call that answered. */
  readonly waitingMs: Spread
  /** As the vendors saw it. */
  readonly vendors: Readonly<Record<string, VendorCounts>>
  /**
   * Limits that counted more than they allow: output that was under way when there was no room for it any more. None for
   * who knows the size of each request; few for a router whose estimates are near.
   */
  readonly overLimit: ReadonlyArray<string>
  /** What must never be, whatever the strategy: a request or a call without an end, an answer that was lost. */
  readonly violations: ReadonlyArray<string>
}

/** How one request ended, and after what time. */
export interface Ended {
  readonly outcome: Outcome
  readonly totalMs: number
}

interface Played {
  readonly strategy: string
  readonly seed: number
  /** Requests in the workload. */
  readonly expected: number
  readonly ended: ReadonlyArray<Ended>
  readonly counts: ReadonlyArray<{ readonly name: string; readonly counts: VendorCounts }>
  readonly problems: ReadonlyArray<string>
  readonly keepsTime: boolean
}

const spread = (values: ReadonlyArray<number>): Spread => {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (share: number) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0)
  return { p50: at(0.5), p99: at(0.99) }
}

const sum = (values: ReadonlyArray<number>): number => values.reduce((total, value) => total + value, 0)

const tally = (reasons: ReadonlyArray<string>): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {}
  for (const reason of [...reasons].sort()) counts[reason] = (counts[reason] ?? 0) + 1
  return counts
}

const overLimitOf = ({ counts }: Played): ReadonlyArray<string> =>
  counts.flatMap(({ counts: { limits }, name }) =>
    limits.filter(({ limit, peak }) => peak > limit).map(({ dimension, limit, peak }) =>
      `${name}: ${Math.ceil(peak)} ${dimension} of ${limit}`
    )
  )

const violationsOf = (
  { counts, ended, expected, keepsTime, problems }: Played,
  served: number
): ReadonlyArray<string> => {
  const underWay = counts.filter(({ counts: { inFlight } }) => inFlight !== 0)
    .map(({ counts: { inFlight }, name }) => `${name}: ${inFlight} calls never ended`)
  const answered = sum(counts.map((vendor) => vendor.counts.served))
  const refusedFor = (reason: string) =>
    ended.filter(({ outcome }) => outcome._tag === "Refused" && outcome.reason === reason).length
  const defects = refusedFor("Defect")
  const late = keepsTime ? refusedFor("TimedOut") : 0
  return [
    ...underWay,
    ...(ended.length === expected ? [] : [`${expected} requests were sent, ${ended.length} ended`]),
    ...(answered === served ? [] : [`the vendors answered ${answered} requests, ${served} got their answer`]),
    ...(late === 0 ? [] : [`${late} requests took longer than their timeout`]),
    ...(defects === 0 ? [] : [`${defects} requests ended in a defect of the strategy`]),
    ...problems
  ]
}

export const summarize = (played: Played): SimulationReport => {
  const { counts, ended, expected, seed, strategy } = played
  const served = ended.flatMap(({ outcome, totalMs }) =>
    outcome._tag === "Served" ? [{ totalMs, waitedMs: Math.max(0, totalMs - outcome.callMs) }] : []
  )
  return {
    strategy,
    seed,
    requests: expected,
    served: served.length,
    refused: tally(ended.flatMap(({ outcome }) => outcome._tag === "Refused" ? [outcome.reason] : [])),
    rateLimited: sum(counts.map(({ counts: { rateLimited } }) => rateLimited)),
    latencyMs: spread(served.map(({ totalMs }) => totalMs)),
    waitingMs: spread(served.map(({ waitedMs }) => waitedMs)),
    vendors: Object.fromEntries(counts.map((vendor) => [vendor.name, vendor.counts])),
    overLimit: overLimitOf(played),
    violations: violationsOf(played, served.length)
  }
}
