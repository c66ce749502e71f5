/**
 * The waiting line: who is served when capacity frees, and when to look next. Synchronous like the ledger it stands
 * before; it never calls anyone but the `resume` of a request whose turn has come.
 *
 * - **Order**: by lane, then by arrival (`lifo`: the newest first). A lane's head start is bounded: a request that has
 *   waited `ageing` longer goes before one of the next lane, so that no lane starves.
 * - **Work-conserving**: one that fits now passes one that does not (backfilling), until the one passed over has waited
 *   `keepAfter`; then the provider that would have room for it first keeps it for it. Lanes above its own still pass, the
 *   next one until `ageing` later, the one above that until twice that: no lane starves at any size.
 * - **Exact**: requests of one kind (lane, bound of output, candidates) differ in the size of their input only, so the
 *   ledger turns "does it fit?" round into "up to which size?" and the line finds the first such in O(log n).
 * - **Bounded**: `maxWaiting` requests, each until its own time; `turns` grants a step, so that a long line does not
 *   hold the event loop.
 */
import type { RouterSettings } from "../../RouterOptions.ts"
import type { Decision, Demand, Reservation } from "../../RouterState.ts"
import { largestEver, largestInput, soonestMs } from "./Admission.ts"
import { FirstFit } from "./FirstFit.ts"
import { KeptRoom } from "./KeptRoom.ts"
import type { Ledger } from "./Ledger.ts"
import { type Group, isBefore, keyOf, type Waiter } from "./Waiter.ts"

/** Requests served in one step; the rest is served in the next, at once. */
const turns = 256

const never = Number.POSITIVE_INFINITY

/** A size this close below one that fits, or not, may do the other by rounding. */
const edge = Number.EPSILON * 2

export class Line {
  readonly #groups = new Map<string, Group>()
  readonly #waiting = { high: 0, normal: 0, low: 0 }
  #arrivals = 0
  readonly #kept: KeptRoom
  #isClosed = false
  /** The ledger's terms that everyone in line was last held against. */
  #terms = 0
  /** When somebody fits or is due, as far as the ledger can tell; in its time. */
  #wakeAtMs = never

  constructor(
    readonly ledger: Ledger,
    readonly settings: RouterSettings["waiting"],
    /** A store elsewhere has the last word on each grant: see `served` and `again`. */
    readonly isTentative = false
  ) {
    this.#kept = new KeptRoom(ledger, settings)
  }

  get length(): number {
    return this.#waiting.high + this.#waiting.normal + this.#waiting.low
  }

  /** In how many ms to call `dispatch`, if nothing happens before; `Infinity` where nobody waits. */
  get wakeInMs(): number {
    return this.#wakeAtMs - this.ledger.nowMs
  }

  get waiting(): Readonly<Record<Demand["lane"], number>> {
    return { ...this.#waiting }
  }

  /** A decision now, or a place in line, whose `resume` is called once there is one. */
  ask(demand: Demand, clockMs: number, resume: Waiter["resume"]): Decision | Waiter {
    if (this.length === 0) {
      const decision = this.ledger.reserve(demand, clockMs)
      if (decision._tag === "Granted" || demand.waitMs <= 0 || this.#isClosed) return decision
    }
    const nowMs = this.ledger.advance(clockMs, demand.providers)
    const waiter = this.#enter(demand, nowMs, resume)
    const before = this.length
    const more = this.#serve(nowMs)
    if (waiter.decision === undefined && waiter.hidden !== true) this.#turnAway(waiter, nowMs)
    if (more || this.length < before || this.#kept.waiter === waiter) this.#plan(nowMs, more)
    else this.#planFor(waiter, nowMs)
    return waiter.decision ?? waiter
  }

  /** Serves whoever fits now, in order, and turns away who has waited too long. */
  dispatch(clockMs: number): void {
    if (this.length === 0) {
      this.#wakeAtMs = never
      return
    }
    const nowMs = this.ledger.advance(clockMs)
    this.#dismiss()
    const more = this.#serve(nowMs)
    this.#expire(nowMs)
    this.#plan(nowMs, more)
  }

  /** The request gives up. Answers what it had been granted in the same moment, to be given back. */
  leave(waiter: Waiter, clockMs: number): Reservation | undefined {
    if (waiter.decision !== undefined) {
      return waiter.decision._tag === "Granted" ? waiter.decision.reservation : undefined
    }
    this.#remove(waiter)
    // What was kept for it may be free for others now.
    this.dispatch(clockMs)
    return undefined
  }

  /** The grant that was tried is taken, or not needed any more. */
  served(waiter: Waiter, decision: Decision): void {
    this.#remove(waiter)
    waiter.decision = decision
  }

  /** The grant that was tried was refused: the request is where it was in line. */
  again(waiter: Waiter): void {
    waiter.group.waiters.hide(waiter, false)
  }

  /** Turns everyone away, from now on also who comes: the router closes. */
  close(clockMs: number): void {
    this.#isClosed = true
    this.ledger.advance(clockMs)
    for (const group of this.#groups.values()) {
      for (const waiter of group.waiters.all()) this.#refuse(waiter)
    }
    this.#wakeAtMs = never
  }

  #enter(demand: Demand, nowMs: number, resume: Waiter["resume"]): Waiter {
    const key = keyOf(demand)
    const { forceProvider, lane, maxTokens, tried } = demand
    const group = this.#groups.get(key)
      ?? { key, kind: { forceProvider, lane, maxTokens, tried }, waiters: new FirstFit<Waiter>() }
    this.#groups.set(key, group)
    const fastestMs = Math.min(...this.ledger.providers.map(({ callMs }) => callMs))
    // A call needs time as well: without it the wait is for nothing.
    const callMs = Math.min(fastestMs, demand.timeLeftMs / 2)
    const waiter: Waiter = {
      demand,
      group,
      resume,
      arrivedMs: nowMs,
      order: this.#arrivals++,
      size: demand.inputTokens,
      dueMs: nowMs + Math.min(demand.waitMs, demand.timeLeftMs - callMs),
      slot: -1,
      decision: undefined
    }
    group.waiters.add(waiter)
    this.#waiting[lane]++
    return waiter
  }

  /** The newcomer stays only if the line has room for it and its time may come before it is due. */
  #turnAway(waiter: Waiter, nowMs: number): void {
    const { demand } = waiter
    const soonest = Math.min(...this.ledger.providers.map((provider) => soonestMs(provider, demand)))
    if (soonest === never || nowMs + soonest > waiter.dueMs || demand.waitMs <= 0) this.#refuse(waiter)
    else if (this.length > this.settings.maxWaiting) {
      this.#resolve(waiter, { _tag: "QueueFull", waiting: this.settings.maxWaiting })
    }
  }

  /** Turns away those who never fit any more: a limit is lower than it was, or a provider is gone. */
  #dismiss(): void {
    if (this.ledger.terms === this.#terms) return
    this.#terms = this.ledger.terms
    const { providers } = this.ledger
    for (const { kind, waiters } of this.#groups.values()) {
      const largest = Math.max(-1, ...providers.map((provider) => largestEver(provider, kind)))
      for (const waiter of waiters.all()) {
        if (waiter.hidden === true || waiter.size < largest * (1 - edge)) continue
        if (providers.every((provider) => soonestMs(provider, waiter.demand) === never)) this.#refuse(waiter)
      }
    }
  }

  /** Answers whether there may be more to serve. */
  #serve(nowMs: number): boolean {
    this.#serveKept(nowMs)
    /** By rounding, a size at the very edge may be found and then not fit: from then on only smaller ones count. */
    const below = new Map<Group, number>()
    for (let turn = 0; turn < turns; turn++) {
      const next = this.#next(below)
      if (next === undefined) {
        if (this.#serveLast()) continue
        this.#keep(nowMs)
        return false
      }
      if (!this.#place(next)) below.set(next.group, next.size * (1 - edge) - Number.MIN_VALUE)
    }
    return true
  }

  /** The first in line among those that fit now. */
  #next(below: ReadonlyMap<Group, number>): Waiter | undefined {
    let chosen: Waiter | undefined
    for (const group of this.#groups.values()) {
      let size = -1
      for (const provider of this.ledger.providers) size = Math.max(size, largestInput(provider, group.kind))
      size = Math.min(size, below.get(group) ?? size)
      const waiter = this.settings.order === "fifo" ? group.waiters.first(size) : group.waiters.last(size)
      if (waiter !== undefined && (chosen === undefined || isBefore(waiter, chosen, this.settings))) chosen = waiter
    }
    return chosen
  }

  /** The one whom room is kept for goes first. */
  #serveKept(nowMs: number): void {
    this.#kept.age(nowMs)
    if (this.#kept.waiter !== undefined) this.#place(this.#kept.waiter)
  }

  /** While nothing is in service, the first in line gets what there is. */
  #serveLast(): boolean {
    const first = this.#eldest()
    return this.#grant(first, first && this.ledger.placeLast(first.demand))
  }

  /** Serves it, if there is room for it. */
  #place(waiter: Waiter): boolean {
    return this.#grant(waiter, this.ledger.place(waiter.demand))
  }

  #grant(waiter: Waiter | undefined, reservation: Reservation | undefined): boolean {
    if (waiter === undefined || reservation === undefined) return false
    const decision: Decision = { _tag: "Granted", reservation }
    if (!this.isTentative) {
      this.#resolve(waiter, decision)
      return true
    }
    waiter.group.waiters.hide(waiter, true)
    if (this.#kept.waiter === waiter) this.#kept.release()
    waiter.resume(decision)
    return true
  }

  /** Keeps room for the first in line, once it has been passed over for long enough. */
  #keep(nowMs: number): void {
    if (this.settings.order === "lifo") return
    this.#kept.keep(this.#kept.waiter ?? this.#eldest(), nowMs)
  }

  #eldest(): Waiter | undefined {
    let eldest: Waiter | undefined
    for (const { waiters } of this.#groups.values()) {
      const first = waiters.first(Number.MAX_VALUE)
      if (first !== undefined && (eldest === undefined || isBefore(first, eldest, this.settings))) eldest = first
    }
    return eldest
  }

  #expire(nowMs: number): void {
    for (const group of this.#groups.values()) {
      for (let late = group.waiters.due(nowMs); late !== undefined; late = group.waiters.due(nowMs)) this.#refuse(late)
    }
  }

  #refuse(waiter: Waiter): void {
    this.#resolve(waiter, { _tag: "Refused", refusals: this.ledger.refusals(waiter.demand) })
  }

  #resolve(waiter: Waiter, decision: Decision): void {
    this.#remove(waiter)
    waiter.decision = decision
    waiter.resume(decision)
  }

  #remove(waiter: Waiter): void {
    const { demand, group } = waiter
    if (waiter.slot < 0) return
    group.waiters.remove(waiter)
    this.#waiting[demand.lane]--
    if (group.waiters.length === 0) this.#groups.delete(group.key)
    if (this.#kept.waiter === waiter) this.#kept.release()
  }

  /** When the next one fits or is due: a settlement may bring it forward. */
  #plan(nowMs: number, more: boolean): void {
    let wakeAtMs = never
    let looksAgain = more
    for (const { waiters } of this.#groups.values()) {
      const smallest = waiters.first(waiters.minSize)
      if (smallest === undefined) continue
      const fitsAtMs = nowMs + this.ledger.fitsInMs(smallest.demand)
      wakeAtMs = Math.min(wakeAtMs, waiters.minDueMs, fitsAtMs)
      // The size that would fit is found but for rounding; one that fits all the same is not left to wait.
      if (!more && fitsAtMs <= nowMs && this.#place(smallest)) looksAgain = true
    }
    const kept = this.#kept.waiter
    if (kept !== undefined) wakeAtMs = Math.min(wakeAtMs, nowMs + this.ledger.fitsInMs(kept.demand))
    const first = this.#eldest()
    if (first !== undefined) wakeAtMs = Math.min(wakeAtMs, this.ledger.lastResortAtMs(first.demand))
    this.#wakeAtMs = looksAgain && this.length > 0 ? nowMs : Math.max(nowMs + 1, wakeAtMs)
  }

  /** The same, where nothing but a newcomer has changed: all its kind that are no larger fit no later. */
  #planFor(waiter: Waiter, nowMs: number): void {
    const isSmallest = waiter.group.waiters.minSize === waiter.size
    const fitsAtMs = isSmallest ? nowMs + this.ledger.fitsInMs(waiter.demand) : never
    const lastAtMs = this.length === 1 ? this.ledger.lastResortAtMs(waiter.demand) : never
    this.#wakeAtMs = Math.max(nowMs + 1, Math.min(this.#wakeAtMs, waiter.dueMs, fitsAtMs, lastAtMs))
  }
}
