/**
 * The waiting line: who is served when capacity frees, and when to look next. Synchronous like the ledger it stands
 * before; it never calls anyone but the `resume` of a request whose turn has come.
 *
 * - **Order**: by lane, then by arrival (`lifo`: the newest first). A lane's head start is bounded: a request that has
 *   waited `ageing` longer goes before one of the next lane, so that no lane starves.
 * - **Work-conserving**: one that fits now passes one that does not (backfilling), unless that makes the first in line
 *   late, or it has waited `keepAfter`; then the provider that would have room for it first keeps it for it. Lanes above
 *   its own still pass, the next one until `ageing` later, the one above that until twice that: no lane starves at any
 *   size.
 * - **Exact**: requests of one kind (lane, bound of output, candidates) differ in the size of their input only, so the
 *   ledger turns "does it fit?" round into "up to which size?" and the line finds the first such in O(log n). Where many
 *   bounds of output are asked for, those within an eighth of each other are one kind, and wait for room for the largest;
 *   the first in line and the smallest of each kind never do.
 * - **Bounded**: `maxWaiting` requests, each until its own time; so much work a step, so that no line holds the event
 *   loop.
 */
import type { RouterSettings } from "../../RouterOptions.ts"
import type { Decision, Demand, Reservation } from "../../RouterState.ts"
import { largestEver, soonestMs } from "./Admission.ts"
import { KeptRoom } from "./KeptRoom.ts"
import type { Ledger } from "./Ledger.ts"
import { nextInLine } from "./nextInLine.ts"
import { Outlook } from "./Outlook.ts"
import type { Group, Waiter } from "./Waiter.ts"
import { Waiters } from "./Waiters.ts"

/** Requests served or turned away in one step; the rest is in the next, at once. */
const turns = 256

/** Once it has asked providers so often up to which size they have room, a step that served somebody is over. */
const mostAsked = 8_192

const never = Number.POSITIVE_INFINITY

/** A size this close below one that fits, or not, may do the other by rounding. */
const edge = Number.EPSILON * 2

/** Its group stands for requests that are larger. */
const isRounded = ({ demand, group }: Waiter): boolean => demand.maxTokens !== group.kind.maxTokens

export class Line {
  readonly #waiters: Waiters
  readonly #kept: KeptRoom
  readonly #outlook: Outlook
  #isClosed = false
  /** The ledger's terms that everyone in line was last held against. */
  #terms = 0
  /** Room was kept for somebody who is gone: others may fit. */
  #isOpened = false

  constructor(
    readonly ledger: Ledger,
    readonly settings: RouterSettings["waiting"],
    /** A store elsewhere has the last word on each grant: see `served` and `again`. */
    readonly isTentative = false
  ) {
    this.#waiters = new Waiters(settings)
    this.#kept = new KeptRoom(ledger, settings)
    this.#outlook = new Outlook(ledger, this.#waiters, this.#kept)
  }

  get length(): number {
    return this.#waiters.length
  }

  /** In how many ms to call `dispatch`, if nothing happens before; `Infinity` where nobody waits, or only for a call to end. */
  get wakeInMs(): number {
    return this.#outlook.atMs - this.ledger.nowMs
  }

  get waiting(): Readonly<Record<Demand["lane"], number>> {
    return this.#waiters.count
  }

  /** Nobody is served any more. */
  get isClosed(): boolean {
    return this.#isClosed
  }

  /** A decision now, or a place in line, whose `resume` is called once there is one. */
  ask(demand: Demand, clockMs: number, resume: Waiter["resume"]): Decision | Waiter {
    if (this.#isClosed) return { _tag: "Closed" }
    if (this.length === 0) {
      const decision = this.ledger.reserve(demand, clockMs)
      if (decision._tag === "Granted") return decision
      if (demand.waitMs <= 0) return this.ledger.refused(demand)
    }
    const nowMs = this.ledger.advance(clockMs, demand.providers)
    const waiter = this.#enter(demand, nowMs, resume)
    const before = this.length
    const keptBy = this.#kept.provider
    const dismisses = this.#dismiss()
    const more = this.#serve(nowMs) || dismisses
    const isTried = waiter.hidden === true
    if (waiter.decision === undefined && !isTried) this.#turnAway(waiter, nowMs)
    const isOther = this.length < before || isTried || this.#kept.provider !== keptBy
    if (more || isOther || !this.#outlook.include(waiter, nowMs)) this.#plan(nowMs, more)
    return waiter.decision ?? waiter
  }

  /** Serves whoever fits now, in order, and turns away who has waited too long. */
  dispatch(clockMs: number): void {
    if (this.length === 0) {
      this.#outlook.atMs = never
      return
    }
    const nowMs = this.ledger.advance(clockMs)
    const dismisses = this.#dismiss()
    const serves = this.#serve(nowMs)
    const expires = this.#expire(nowMs)
    this.#plan(nowMs, dismisses || serves || expires)
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
    for (const group of this.#waiters.groups) {
      for (const waiter of group.waiters.all()) this.#resolve(waiter, { _tag: "Closed" })
    }
    this.#outlook.atMs = never
  }

  #enter(demand: Demand, nowMs: number, resume: Waiter["resume"]): Waiter {
    const fastestMs = Math.min(...this.ledger.providers.map(({ callMs }) => callMs))
    // A call needs time as well: without it the wait is for nothing.
    const callMs = Math.min(fastestMs, demand.timeLeftMs / 2)
    const dueMs = nowMs + Math.min(demand.waitMs, demand.timeLeftMs - callMs)
    return this.#waiters.add(demand, { arrivedMs: nowMs, dueMs, resume })
  }

  /** The newcomer stays only if its time may come before it is due; of a full line the last of the lowest lane goes. */
  #turnAway(waiter: Waiter, nowMs: number): void {
    const { demand } = waiter
    const soonest = Math.min(...this.ledger.providers.map((provider) => soonestMs(provider, demand)))
    const atMs = Math.min(nowMs + soonest, this.ledger.lastResortAtMs(demand))
    if (atMs === never || atMs > waiter.dueMs || demand.waitMs <= 0) this.#refuse(waiter)
    else if (this.length > this.settings.maxWaiting) {
      this.#resolve(this.#waiters.last()!, { _tag: "QueueFull", waiting: this.settings.maxWaiting })
    }
  }

  /**
   * Turns away those who never fit any more: a limit is lower than it was, or a provider is gone. Answers whether there
   * may be more of them.
   */
  #dismiss(): boolean {
    const { providers, terms } = this.ledger
    if (terms === this.#terms) return false
    let left = turns
    for (const { kind, waiters } of this.#waiters.groups) {
      const largest = Math.max(-1, ...providers.map((provider) => largestEver(provider, kind)))
      for (const waiter of waiters.all()) {
        if (waiter.hidden === true || waiter.size < largest * (1 - edge)) continue
        if (providers.some((provider) => soonestMs(provider, waiter.demand) < never)) continue
        if (left-- === 0) return true
        this.#refuse(waiter)
      }
    }
    this.#terms = terms
    return false
  }

  /** Answers whether there may be more to serve. */
  #serve(nowMs: number): boolean {
    this.#kept.age(nowMs)
    if (this.#kept.waiter !== undefined) this.#place(this.#kept.waiter)
    /** By rounding, a size at the very edge may be found and then not fit: from then on only smaller ones count. */
    const below = new Map<Group, number>()
    let asked = 0
    let passed: Waiter | undefined
    for (let turn = 0; turn < turns; turn++) {
      const { first, next, questions } = nextInLine(this.#waiters, this.ledger.providers, below)
      asked += questions
      // The first in line waits for room for itself, not for the largest of its kind.
      const fits = first !== next && first !== passed && first !== undefined && isRounded(first) && this.#place(first)
      if (!fits) passed = first
      if (fits || (next === undefined && this.#serveLast())) {
        if (asked >= mostAsked) return true
      } else if (next === undefined) {
        if (!this.#kept.keep(this.#kept.waiter ?? first, nowMs)) {
          this.#isOpened = false
          return false
        }
        // What was kept until now is for whoever fits, in order.
        passed = undefined
        below.clear()
      } else if (next === first || !this.#kept.protects(first!, next.demand, nowMs)) {
        if (!this.#place(next)) below.set(next.group, next.size * (1 - edge) - Number.MIN_VALUE)
        else if (asked >= mostAsked) return true
      }
    }
    return true
  }

  /** While no candidate of theirs is in service, the first of those in line gets what there is. */
  #serveLast(): boolean {
    return this.#outlook.lasts().some((waiter) => this.#grant(waiter, this.ledger.placeLast(waiter.demand)))
  }

  /** Serves it, if there is room for it. */
  #place(waiter: Waiter): boolean {
    return this.#grant(waiter, this.ledger.place(waiter.demand))
  }

  #grant(waiter: Waiter, reservation: Reservation | undefined): boolean {
    if (reservation === undefined) return false
    const decision: Decision = { _tag: "Granted", reservation }
    if (!this.isTentative) {
      this.#resolve(waiter, decision)
      return true
    }
    waiter.group.waiters.hide(waiter, true)
    this.#open(waiter)
    waiter.resume(decision)
    return true
  }

  /** Answers whether there may be more who are due. */
  #expire(nowMs: number): boolean {
    let left = turns
    for (const { waiters } of this.#waiters.groups) {
      for (let late = waiters.due(nowMs); late !== undefined; late = waiters.due(nowMs)) {
        if (left-- === 0) return true
        this.#refuse(late)
      }
    }
    return false
  }

  #refuse(waiter: Waiter): void {
    this.#resolve(waiter, this.ledger.refused(waiter.demand))
  }

  #resolve(waiter: Waiter, decision: Decision): void {
    this.#remove(waiter)
    waiter.decision = decision
    waiter.resume(decision)
  }

  #remove(waiter: Waiter): void {
    if (waiter.slot < 0) return
    this.#waiters.remove(waiter)
    this.#open(waiter)
  }

  /** What was kept for it is for others. */
  #open(waiter: Waiter): void {
    if (this.#kept.waiter !== waiter) return
    this.#kept.release()
    this.#isOpened = true
  }

  /** When to look next; whoever fits then although it was not found, since groups are of rounded sizes, is served. */
  #plan(nowMs: number, more: boolean): void {
    let isMore = more
    for (let turn = 0; turn < turns && !isMore; turn++) {
      if (this.#isOpened) isMore = this.#serve(nowMs)
      const fits = this.#outlook.look(nowMs)
      if (fits === undefined) break
      const first = this.#waiters.first()!
      if (fits === first || !this.#kept.protects(first, fits.demand, nowMs)) this.#place(fits)
      this.#isOpened = true
    }
    if (isMore) this.#outlook.atMs = this.length > 0 ? nowMs : never
  }
}
