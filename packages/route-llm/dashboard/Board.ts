/**
 * Everything the page shows, from the reports and events that come in. Times and durations become the traffic's own
 * here (`Setup.speed`), so nothing behind this knows that a demonstration is played faster than life.
 */
import { batch, signal } from "@preact/signals"
import type { RouterEvent, StatusReport } from "@route-llm/core"
import { History } from "./History.ts"
import { folded, joined, type LogEntry } from "./LogEntry.ts"
import { Roll } from "./Roll.ts"

const mostEntries = 200

/**
 * Reports come each second. So long after the newest the board is stale, and frozen: no countdown runs on, and no
 * picture moves, on old figures.
 */
export const freshMs = 3_500

const stretch = (ms: number | undefined, speed: number): number | undefined => ms === undefined ? undefined : ms * speed

/** What others tell already: a route that was answered is its last attempt, and a fallback is told by the next one. */
const isTold = (event: RouterEvent): boolean =>
  event._tag === "FellBack" || (event._tag === "RouteEnded" && (event.outcome === "success" || event.attempts === 1))

const kept = (entries: ReadonlyArray<LogEntry>): ReadonlyArray<LogEntry> => folded(entries).slice(0, mostEntries)

export class Board {
  readonly report = signal<StatusReport | undefined>(undefined)
  readonly log = signal<ReadonlyArray<LogEntry>>([])
  /** The log stands still for whoever reads it; what comes meanwhile is shown after. */
  readonly paused = signal(false)
  readonly missed = signal(0)
  readonly roll = signal(new Roll())
  /** The circuits that moved last, one of each provider, to be read out. */
  readonly moves = signal<ReadonlyArray<RouterEvent>>([])
  readonly speed: number
  #held: ReadonlyArray<LogEntry> = []
  /** The newest first. */
  #pending: Array<LogEntry> = []
  #moved = new Map<string, RouterEvent>()
  #histories = new Map<string, History>()
  #originMs: number | undefined
  #receivedMs = 0
  #nextId = 0

  constructor(speed = 1) {
    this.speed = speed
  }

  historyOf(provider: string): History {
    const history = this.#histories.get(provider) ?? new History()
    this.#histories.set(provider, history)
    return history
  }

  /** The traffic's time, by the app's clock, `receivedMs` being this page's own clock when the report came. */
  now(pageMs: number): number {
    const report = this.report.peek()
    if (report === undefined) return 0
    return report.timestamp + Math.min(freshMs, Math.max(0, pageMs - this.#receivedMs)) * this.speed
  }

  showReport(report: StatusReport, pageMs: number): void {
    const { speed } = this
    // Another start is another router: what was known of the old one would be a lie about the new one.
    if (report.startedAt !== this.#originMs) this.#restart(report.startedAt)
    const shown: StatusReport = {
      ...report,
      timestamp: this.#trafficTime(report.timestamp),
      providers: report.providers.map((row) => ({
        ...row,
        avgLatencyMs: row.avgLatencyMs * speed,
        avgFirstTokenMs: row.avgFirstTokenMs * speed,
        circuitRetryAfterMs: stretch(row.circuitRetryAfterMs, speed),
        benchedForMs: stretch(row.benchedForMs, speed),
        dryInMs: stretch(row.dryInMs, speed),
        lastError: row.lastError && { ...row.lastError, agoMs: row.lastError.agoMs * speed }
      }))
    }
    this.#receivedMs = pageMs
    for (const row of shown.providers) this.historyOf(row.name).add(shown.timestamp, row)
    this.roll.peek().observe(shown)
    this.report.value = shown
  }

  /** Kept until `flush`, so that a thousand events a second cost one drawing, not a thousand. */
  showEvent(event: RouterEvent): void {
    const shown = this.#inTrafficTime(event)
    if (shown._tag === "RouteEvent") this.roll.peek().add(shown)
    if (shown._tag === "CircuitMoved") this.#moved.set(shown.provider, shown)
    if (isTold(shown)) return
    const entry = { id: this.#nextId++, event: shown, count: 1, sinceMs: shown.timestamp }
    const again = joined(entry, this.#pending[0])
    if (again !== undefined) this.#pending[0] = again
    else this.#pending.unshift(entry)
    if (this.#pending.length > mostEntries) this.#pending.length = mostEntries
  }

  flush(): void {
    if (this.#moved.size > 0) this.moves.value = [...this.#moved.values()]
    this.#moved.clear()
    if (this.#pending.length === 0) return
    const newest = this.#pending
    this.#pending = []
    if (this.paused.peek()) {
      this.#held = kept([...newest, ...this.#held])
      this.missed.value += newest.reduce((sum, { count }) => sum + count, 0)
    } else this.log.value = kept([...newest, ...this.log.peek()])
  }

  pause(paused: boolean): void {
    batch(() => {
      this.paused.value = paused
      if (paused) return
      this.log.value = kept([...this.#held, ...this.log.peek()])
      this.#held = []
      this.missed.value = 0
    })
  }

  #trafficTime(ms: number): number {
    const originMs = this.#originMs ?? ms
    return originMs + (ms - originMs) * this.speed
  }

  #restart(originMs: number): void {
    this.#originMs = originMs
    this.#histories = new Map()
    this.roll.value = new Roll()
  }

  #inTrafficTime(event: RouterEvent): RouterEvent {
    const timestamp = this.#trafficTime(event.timestamp)
    const { speed } = this
    switch (event._tag) {
      case "RouteEvent":
        return {
          ...event,
          timestamp,
          latencyMs: event.latencyMs * speed,
          waitedMs: event.waitedMs * speed,
          firstTokenMs: stretch(event.firstTokenMs, speed)
        }
      case "RouteEnded":
        return { ...event, timestamp, latencyMs: event.latencyMs * speed, waitedMs: event.waitedMs * speed }
      case "Benched":
        return { ...event, timestamp, forMs: stretch(event.forMs, speed) }
      default:
        return { ...event, timestamp }
    }
  }
}
