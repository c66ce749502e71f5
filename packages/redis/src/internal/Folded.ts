/**
 * What calls count, by provider and bucket, in place of the calls themselves: there may be any number of them, and of
 * these never more than the windows have buckets.
 */
import type { ProviderSpec, RouterSettings } from "@route-llm/core"
import { countItem, type Item, type Numbered } from "./Batch.ts"
import { figure } from "./figures.ts"

const dayMs = 86_400_000
const dayBucketMs = 600_000

/** One item is in so many of them at most. */
export const bucketsOfOne = 4

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

export interface FoldedItem {
  readonly item: Item
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
  #prunedAtMs = Number.NEGATIVE_INFINITY

  constructor(readonly settings: Pick<RouterSettings, "window" | "buckets" | "transit">) {}

  get size(): number {
    return this.#cells.size
  }

  /** Input where the vendor has counted it at the latest, output when the call ended: as the script does. */
  add({ atMs, number, row, spec }: Numbered): void {
    if (spec === undefined) return
    if (atMs - this.#prunedAtMs >= this.settings.window / this.settings.buckets) this.#prune(atMs)
    const kind = figure(row, "kind")
    const [input, output] = [figure(row, "input"), figure(row, "output")]
    if (kind === kinds.ended) {
      const inputAtMs = Math.min(atMs, figure(row, "reservedAtMs") + this.settings.transit)
      const [requests, dayRequests] = [requestsOf(row, "requests"), requestsOf(row, "dayRequests")]
      this.#count({ spec, span: "minute", atMs: inputAtMs, number, requests, input, output: 0 }, atMs)
      this.#count({ spec, span: "minute", atMs, number, requests: 0, input: 0, output }, atMs)
      this.#count({ spec, span: "day", atMs: inputAtMs, number, requests: dayRequests, input, output: 0 }, atMs)
      this.#count({ spec, span: "day", atMs, number, requests: 0, input: output, output: 0 }, atMs)
    } else if (kind === kinds.minute || kind === kinds.day) {
      const span = kind === kinds.minute ? "minute" : "day"
      const at = Math.min(atMs, figure(row, "reservedAtMs"))
      this.#count({ spec, span, atMs: at, number, requests: figure(row, "requests"), input, output }, atMs)
    }
  }

  /** Takes out the buckets in which there is anything of a higher number than this one. */
  takeBeyond(number: number, nowMs: number): ReadonlyArray<FoldedItem> {
    this.#prune(nowMs)
    const taken: Array<FoldedItem> = []
    for (const [key, cell] of this.#cells) {
      if (cell.number <= number) continue
      this.#cells.delete(key)
      taken.push({ item: countItem(cell.spec, cell.span, cell), number: cell.number, atMs: cell.atMs })
    }
    return taken
  }

  clear(): void {
    this.#cells.clear()
  }

  /** Apart by when it was added, too: a call that was long must not make an old bucket a new one. */
  #count(cell: Cell, addedMs: number): void {
    if (cell.requests === 0 && cell.input === 0 && cell.output === 0) return
    const { atMs, number, span, spec: { model, name } } = cell
    const bucketMs = span === "minute" ? this.settings.window / this.settings.buckets : dayBucketMs
    const key = [span, Math.floor(atMs / bucketMs), Math.floor(addedMs / bucketMs), name, model].join("\n")
    const before = this.#cells.get(key)
    if (before === undefined) return void this.#cells.set(key, cell)
    this.#cells.set(key, {
      ...cell,
      atMs: Math.max(atMs, before.atMs),
      number: Math.max(number, before.number),
      requests: cell.requests + before.requests,
      input: cell.input + before.input,
      output: cell.output + before.output
    })
  }

  /** What has left its window by then, with the bucket that leaves it. */
  #prune(nowMs: number): void {
    const { buckets, window } = this.settings
    this.#prunedAtMs = nowMs
    for (const [key, { atMs, span }] of this.#cells) {
      if (atMs < nowMs - (span === "minute" ? window + window / buckets : dayMs + dayBucketMs)) this.#cells.delete(key)
    }
  }
}
