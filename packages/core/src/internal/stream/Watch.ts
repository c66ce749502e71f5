import type { Clock } from "effect"
import type { RouterSettings } from "../../RouterOptions.ts"
import { monotonicMs } from "../clock.ts"
import { after, type Run } from "../within.ts"

/** `idle`: the vendor has paused too long; `slow`: it trickles; `total`: it has taken too long; `reader`: nobody reads. */
export type Overdue = "idle" | "slow" | "total" | "reader"

export const overdue: Readonly<Record<Overdue, string>> = {
  idle: "the vendor sent nothing for too long",
  slow: "the vendor sent too little for too long",
  total: "the whole answer took too long",
  reader: "nobody read for too long"
}

/** The floor is taken over so much of the vendor's time, or `idle` where that is less. */
const longestFloorMs = 30_000

/**
 * Looks after the times of one answer, with one timer that is set anew only when it fires: a part costs two readings of
 * the clock.
 */
export class Watch {
  readonly #startedMs: number
  /** Whether the vendor or the reader is waited for, and since when. */
  #waitsForVendor = false
  #sinceMs: number
  /** Pauses of the reader that are over. */
  #readMs = 0
  readonly #floorMs: number
  /** Of the vendor's time, in which the floor is taken. */
  #spanMs = 0
  #spanCharacters = 0
  #callOff = () => {}

  constructor(
    readonly clock: Clock.Clock,
    readonly run: Run,
    readonly settings: RouterSettings["stream"],
    readonly onOverdue: (overdue: Overdue) => void
  ) {
    this.#startedMs = monotonicMs(clock)
    this.#sinceMs = this.#startedMs
    this.#floorMs = Math.min(settings.idle, longestFloorMs)
    this.#set()
  }

  /** How long nobody has read in all. */
  get readingMs(): number {
    return this.#readMs + (this.#waitsForVendor ? 0 : monotonicMs(this.clock) - this.#sinceMs)
  }

  /** The reader asks for more. */
  waits(): void {
    const nowMs = monotonicMs(this.clock)
    if (!this.#waitsForVendor) this.#readMs += nowMs - this.#sinceMs
    this.#sinceMs = nowMs
    this.#waitsForVendor = true
  }

  /** Something has come. Answers whether too little has, for too long. */
  came(characters: number): boolean {
    const nowMs = monotonicMs(this.clock)
    const { minCharactersPerSecond } = this.settings
    let isSlow = false
    if (minCharactersPerSecond > 0) {
      this.#spanMs += nowMs - this.#sinceMs
      this.#spanCharacters += characters
      if (this.#spanMs >= this.#floorMs) {
        isSlow = this.#spanCharacters * 1_000 < minCharactersPerSecond * this.#spanMs
        this.#spanMs = 0
        this.#spanCharacters = 0
      }
    }
    this.#waitsForVendor = false
    this.#sinceMs = nowMs
    return isSlow
  }

  stop(): void {
    this.#callOff()
  }

  /** What is left of the vendor's time for the whole answer. */
  #totalLeftMs(nowMs: number): number {
    return this.settings.total - (nowMs - this.#startedMs - this.readingMs)
  }

  #set(): void {
    const nowMs = monotonicMs(this.clock)
    const { idle, reader } = this.settings
    const pauseMs = this.#sinceMs + (this.#waitsForVendor ? idle : reader) - nowMs
    // Who waits now may be waited for by the other in a moment, whose time may be shorter.
    const nextMs = Math.min(pauseMs, idle, reader, this.#totalLeftMs(nowMs))
    this.#callOff = after(Math.max(1, nextMs), this, () => this.#look())
  }

  #look(): void {
    const nowMs = monotonicMs(this.clock)
    const { idle, reader } = this.settings
    const pausedMs = nowMs - this.#sinceMs
    if (this.#waitsForVendor && this.#totalLeftMs(nowMs) <= 0) return this.onOverdue("total")
    if (pausedMs >= (this.#waitsForVendor ? idle : reader)) {
      return this.onOverdue(this.#waitsForVendor ? "idle" : "reader")
    }
    this.#set()
  }
}
