/**
 * What calls count, by provider and bucket, in place of the calls themselves: there may be any number of them, and of
 * these never more than the windows have buckets.
 */
import type { ProviderSpec, RouterSettings } from "@route-llm/core"
import { countItem, type Item, type Numbered } from "./Batch.ts"
import { figure } from "./figures.ts"

const dayMs = 86_400_000
const dayBucketMs = 600_000

/** Of the items; see `item.ts`. */
const kinds = { ended: 1, minute: 5, day: 6 }

interface Cell {
  readonly spec: Pick<ProviderSpec, "name" | "model">
  readonly span: "minute" | "day"
  readonly atMs: number
  /** The highest number of what is in it. */
  readonly number: number
  readonly requests: number
  readonly input: number
  readonly output: number
}

/** One in the window and one in the day. */
export interface FoldedItem {
  readonly item: Item
  readonly span: Cell["span"]
  readonly number: number
  readonly atMs: number
}

/** A request that was refused counts where its limit is known; of what vendors have told nothing is known here. */
const requestsOf = (row: Buffer, requests: "requests" | "dayRequests"): number => {
  const limit = figure(row, requests === "requests" ? "requestsLimit" : "requestsPerDayLimit")
  return figure(row, "refused") === 1 && !Number.isFinite(limit) ? 0 : figure(row, requests)
}

export class Folded {
  readonly #cells = new Map<string, Cell>()

  constructor(readonly settings: Pick<RouterSettings, "window" | "buckets">) {}

  get size(): number {
    return this.#cells.size
  }

  /** Counted when it ended, as the vendor has at the latest by then. */
  add({ atMs, number, row, spec }: Numbered): void {
    if (spec === undefined) return
    const kind = figure(row, "kind")
    const [input, output] = [figure(row, "input"), figure(row, "output")]
    if (kind === kinds.ended) {
      this.#count({ spec, span: "minute", atMs, number, requests: requestsOf(row, "requests"), input, output })
      this.#count({
        spec,
        span: "day",
        atMs,
        number,
        requests: requestsOf(row, "dayRequests"),
        input: input + output,
        output: 0
      })
    } else if (kind === kinds.minute || kind === kinds.day) {
      const span = kind === kinds.minute ? "minute" : "day"
      const at = Math.min(atMs, figure(row, "reservedAtMs"))
      this.#count({ spec, span, atMs: at, number, requests: figure(row, "requests"), input, output })
    }
  }

  /** Takes out the buckets in which there is anything of a higher number than this one. */
  takeBeyond(number: number, nowMs: number): ReadonlyArray<FoldedItem> {
    this.#prune(nowMs)
    const taken: Array<FoldedItem> = []
    for (const [key, cell] of this.#cells) {
      if (cell.number <= number) continue
      this.#cells.delete(key)
      taken.push({ item: countItem(cell.spec, cell.span, cell), span: cell.span, number: cell.number, atMs: cell.atMs })
    }
    return taken
  }

  clear(): void {
    this.#cells.clear()
  }

  #count(cell: Cell): void {
    if (cell.requests === 0 && cell.input === 0 && cell.output === 0) return
    const bucketMs = cell.span === "minute" ? this.settings.window / this.settings.buckets : dayBucketMs
    const key = JSON.stringify([cell.spec.name, cell.spec.model, cell.span, Math.floor(cell.atMs / bucketMs)])
    const before = this.#cells.get(key)
    if (before === undefined) this.#prune(cell.atMs)
    this.#cells.set(key, {
      ...cell,
      atMs: Math.max(cell.atMs, before?.atMs ?? cell.atMs),
      number: Math.max(cell.number, before?.number ?? cell.number),
      requests: cell.requests + (before?.requests ?? 0),
      input: cell.input + (before?.input ?? 0),
      output: cell.output + (before?.output ?? 0)
    })
  }

  /** What has left its window by then, with the bucket that leaves it. */
  #prune(nowMs: number): void {
    const { buckets, window } = this.settings
    for (const [key, { atMs, span }] of this.#cells) {
      if (atMs < nowMs - (span === "minute" ? window + window / buckets : dayMs + dayBucketMs)) this.#cells.delete(key)
    }
  }
}
