/**
 * What one provider has used: its rings, and what is in flight, which is counted apart from them so that it never rolls
 * out while it runs.
 */
import type { RouterSettings } from "../../RouterOptions.ts"
import type { Reservation } from "../../RouterState.ts"
import { DAY_REQUESTS, DAY_TOKENS, type InFlight, INPUT, OUTPUT, REQUESTS } from "./Meter.ts"
import { RollingWindow } from "./RollingWindow.ts"

export const dayMs = 86_400_000

/** Ten minutes each: a day over-counts by at most one of them. */
const dayBuckets = 144

/** The rate is what was reserved in this part of the window; in so many buckets it is a fiftieth too low at most. */
const latelyShare = 4
const mostLatelyBuckets = 50

/** As many as the window has in that part, where it has fewer: a shared store keeps few. */
const latelyBuckets = (buckets: number): number =>
  Math.min(mostLatelyBuckets, Math.max(2, Math.floor(buckets / latelyShare)))

export const latelyRing = ({ buckets, window }: Pick<RouterSettings, "buckets" | "window">): RollingWindow => {
  const count = latelyBuckets(buckets)
  return new RollingWindow(window / latelyShare * (1 - 1 / count), count - 1, 3)
}

/** What a settled call counts, and when. */
export interface Counts {
  readonly requests: number
  readonly dayRequests: number
  readonly inputAtMs: number
  readonly input: number
  readonly outputAtMs: number
  readonly output: number
}

/** What a call takes that was never made. */
export const nothing: Counts = { requests: 0, dayRequests: 0, inputAtMs: 0, input: 0, outputAtMs: 0, output: 0 }

/** What is reserved for a call. */
export type Held = Pick<Reservation, "inputTokens" | "outputTokens">

export class Windows {
  readonly inFlight: InFlight = { requests: 0, input: 0, output: 0 }
  readonly minute: RollingWindow
  readonly day: RollingWindow
  /** By the time of the reservation, and corrected when it is settled: nothing old is in it, however long a call takes. */
  readonly lately: RollingWindow
  /** Until then time changes nothing. */
  #nextMs = Number.NEGATIVE_INFINITY
  /** When something was counted last. */
  countedAtMs = Number.NEGATIVE_INFINITY

  constructor(settings: RouterSettings) {
    const { buckets, window } = settings
    this.minute = new RollingWindow(window, buckets, 3)
    this.day = new RollingWindow(dayMs, dayBuckets, 2)
    this.lately = latelyRing(settings)
  }

  /** Length of the part of the window that the rate is taken from, in ms. */
  get latelyMs(): number {
    return this.minute.windowMs / latelyShare
  }

  /** Brings the rings to `nowMs`; answers whether anything can have rolled out. */
  roll(nowMs: number): boolean {
    if (nowMs < this.#nextMs) return false
    this.minute.roll(nowMs)
    this.day.roll(nowMs)
    this.lately.roll(nowMs)
    this.restored()
    return true
  }

  /** The rings are at another moment. */
  restored(): void {
    this.#nextMs = Math.min(this.minute.nextMs, this.day.nextMs, this.lately.nextMs)
  }

  /** A reservation begins. */
  begin({ inputTokens, outputTokens }: Held, nowMs: number): void {
    this.inFlight.requests++
    this.inFlight.input += inputTokens
    this.inFlight.output += outputTokens
    this.#reserved(nowMs, 1, inputTokens, outputTokens)
  }

  /** It ends: what it counts is counted apart. */
  end({ inputTokens, outputTokens }: Held): void {
    this.inFlight.requests--
    this.inFlight.input -= inputTokens
    this.inFlight.output -= outputTokens
  }

  /** Counts what a call took. */
  count({ dayRequests, input, inputAtMs, output, outputAtMs, requests }: Counts): void {
    this.minute.add(inputAtMs, REQUESTS, requests)
    this.minute.add(inputAtMs, INPUT, input)
    this.minute.add(outputAtMs, OUTPUT, output)
    this.day.add(inputAtMs, DAY_REQUESTS, dayRequests)
    this.day.add(inputAtMs, DAY_TOKENS, input)
    this.day.add(outputAtMs, DAY_TOKENS, output)
    this.countedAtMs = Math.max(this.countedAtMs, inputAtMs, outputAtMs)
  }

  /** The rate is of what it took, not of what was reserved for it. */
  correct({ inputTokens, outputTokens, reservedAtMs }: Reservation, { input, output, requests }: Counts): void {
    this.#reserved(reservedAtMs, requests - 1, input - inputTokens, output - outputTokens)
  }

  #reserved(atMs: number, requests: number, input: number, output: number): void {
    const { lately } = this
    if (requests !== 0) lately.add(atMs, REQUESTS, requests)
    if (input !== 0) lately.add(atMs, INPUT, input)
    if (output !== 0) lately.add(atMs, OUTPUT, output)
  }
}
