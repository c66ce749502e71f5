/**
 * The attempts and outages of the newest minute or so, as the traffic picture draws them: bounded, changed in place.
 */
import type { RouteEvent, StatusReport } from "@route-llm/core"

/** One attempt, drawn as a bar. */
export interface Bar {
  readonly provider: string
  readonly fromMs: number
  readonly toMs: number
  readonly waitedMs: number
  readonly ok: boolean
  readonly fallbackFrom: string | undefined
  /** Bars of one provider that overlap in time lie in different tracks. */
  readonly track: number
}

/** A provider was out of service. */
export interface Outage {
  readonly provider: string
  readonly kind: "open" | "benched"
  readonly fromMs: number
  toMs: number
}

/** How much of the past is drawn. */
export const rollMs = 60_000

export const tracks = 9

const mostBars = 4_000

export class Roll {
  readonly bars: Array<Bar> = []
  /** An outage that ends at this moment may go on: it is as old as the newest report. */
  observedMs = 0
  outages: ReadonlyArray<Outage> = []
  readonly #ends = new Map<string, Array<number>>()

  add(event: RouteEvent): void {
    const fromMs = event.timestamp - event.latencyMs
    const bar: Bar = {
      provider: event.provider,
      fromMs,
      toMs: event.timestamp,
      waitedMs: event.waitedMs,
      ok: event.outcome === "success",
      fallbackFrom: event.fallbackFrom?.provider,
      track: this.#trackFor(event.provider, fromMs, event.timestamp)
    }
    this.bars.push(bar)
    if (this.bars.length > mostBars) this.bars.splice(0, mostBars / 4)
  }

  /** Outages go on from report to report, and end with the first that does not show them. */
  observe(report: StatusReport): void {
    const at = report.timestamp
    const going = report.providers.flatMap(({ benchedBecause, circuit, name }): ReadonlyArray<Outage> => {
      const kind = circuit === "open" ? "open" : benchedBecause === undefined ? undefined : "benched"
      return kind === undefined ? [] : [{ provider: name, kind, fromMs: at, toMs: at }]
    })
    const begun = going.filter((outage) => {
      const before = this.outages
        .filter(({ kind, provider }) => kind === outage.kind && provider === outage.provider)
        .at(-1)
      if (before === undefined || before.toMs < this.observedMs) return true
      before.toMs = at
      return false
    })
    this.observedMs = at
    const drawn = this.bars.findIndex(({ toMs }) => toMs > at - 2 * rollMs)
    this.bars.splice(0, drawn < 0 ? this.bars.length : drawn)
    this.outages = [...this.outages.filter(({ toMs }) => toMs > at - 2 * rollMs), ...begun]
  }

  /** The first track that is free, or the one that is free soonest. */
  #trackFor(provider: string, fromMs: number, toMs: number): number {
    const ends = this.#ends.get(provider) ?? Array.from({ length: tracks }, () => 0)
    this.#ends.set(provider, ends)
    const free = ends.findIndex((end) => end <= fromMs)
    const track = free >= 0 ? free : ends.indexOf(Math.min(...ends))
    ends[track] = toMs
    return track
  }
}
