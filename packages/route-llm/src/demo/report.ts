import type { Counts } from "@route-llm/providers/testing"
import type { Played } from "./play.ts"
import { demoVendors } from "./vendors.ts"

/** What one strategy made of the traffic. */
export interface StrategyReport {
  readonly strategy: string
  readonly served: number
  /** Not served, by reason. */
  readonly refused: Readonly<Record<string, number>>
  /** 429s that the vendors sent. */
  readonly rateLimited: number
  readonly latencyMs: { readonly p50: number; readonly p99: number }
  /** Before the call that answered: in line, and calls that were refused or failed. */
  readonly waitingMs: { readonly p50: number; readonly p99: number }
  readonly providers: Readonly<Record<string, VendorReport>>
}

interface VendorReport {
  readonly calls: number
  readonly served: number
  readonly rateLimited: number
  readonly peakRequests: number
  readonly requestLimit: number
  readonly peakTokens: number
  readonly tokenLimit: number
}

export interface DemoReport {
  readonly workload: {
    readonly source: string
    readonly requests: number
    readonly minutes: number
    readonly speed: number
    readonly seed: number
  }
  readonly strategies: ReadonlyArray<StrategyReport>
}

const percentile = (values: ReadonlyArray<number>, share: number): number => {
  const sorted = [...values].sort((a, b) => a - b)
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0)
}

const spread = (values: ReadonlyArray<number>) => ({ p50: percentile(values, 0.5), p99: percentile(values, 0.99) })

const tally = (keys: ReadonlyArray<string>): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {}
  for (const key of keys) counts[key] = (counts[key] ?? 0) + 1
  return counts
}

export const summarize = (
  strategy: string,
  played: ReadonlyArray<Played>,
  counts: Readonly<Record<string, Counts>>
): StrategyReport => {
  const served = played.filter(({ sent }) => sent._tag === "Served")
  return {
    strategy,
    served: served.length,
    refused: tally(played.flatMap(({ sent }) => sent._tag === "Refused" ? [sent.reason] : [])),
    rateLimited: Object.values(counts).reduce((sum, { rateLimited }) => sum + rateLimited, 0),
    latencyMs: spread(served.map(({ totalMs }) => totalMs)),
    waitingMs: spread(served.map(({ waitedMs }) => waitedMs)),
    providers: Object.fromEntries(demoVendors.map(({ name, requestLimit, tokenLimit }): [string, VendorReport] => {
      const { peakRequests, peakTokens, rateLimited, received, served } = counts[name]!
      return [name, { calls: received, served, rateLimited, peakRequests, requestLimit, peakTokens, tokenLimit }]
    }))
  }
}
