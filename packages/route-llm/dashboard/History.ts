/**
 * What was, of one provider: a sample for each report, the newest last. It forgets by number and by age.
 */
import type { StatusReport } from "@route-llm/core"

export type ProviderRow = StatusReport["providers"][number]

/** How far back a board looks, in the traffic's time. */
export const historyMs = 10 * 60_000

const mostSamples = 1_200

const share = (used: number, limit: number | undefined): number | null =>
  limit === undefined ? null : used / limit * 100

export class History {
  readonly #times: Array<number> = []
  readonly #requests: Array<number | null> = []
  readonly #tokens: Array<number | null> = []
  readonly #latencies: Array<number> = []

  add(atMs: number, row: ProviderRow): void {
    this.#times.push(atMs)
    this.#requests.push(share(row.rpmUsed, row.rpmLimit))
    this.#tokens.push(share(row.tpmUsed, row.tpmLimit))
    this.#latencies.push(row.avgLatencyMs)
    const old = this.#times.findIndex((time) => time >= atMs - historyMs)
    const gone = Math.max(old, this.#times.length - mostSamples)
    if (gone > 0) { for (const column of this.#columns) column.splice(0, gone) }
  }

  get #columns(): ReadonlyArray<Array<unknown>> {
    return [this.#times, this.#requests, this.#tokens, this.#latencies]
  }

  /** Milliseconds since 1970, and how much of each limit was used then, in percent; `null` while it was not known. */
  get use(): [
    times: ReadonlyArray<number>,
    requests: ReadonlyArray<number | null>,
    tokens: ReadonlyArray<number | null>
  ] {
    return [this.#times, this.#requests, this.#tokens]
  }

  /** Moving averages of the latency, in milliseconds. */
  get latencies(): ReadonlyArray<number> {
    return this.#latencies
  }
}
