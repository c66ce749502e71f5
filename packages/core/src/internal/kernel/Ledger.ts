/**
 * The whole ledger of one router: a synchronous state machine of `reserve`, `settle` and `snapshot`, without Effect,
 * clock or randomness of its own. The memory layer runs it in one `Ref`; a shared store runs the same machine where
 * its data lies.
 *
 * What a reservation holds, and until when (so that a vendor may count a request at any moment of these spans and
 * never sees more than the limit in any window):
 * - request and input: from the reservation to one window after `min(completion, reservation + transit)`;
 * - output: from the reservation to one window after its completion.
 */
import type { Explanation, RouteReason } from "../../Explanation.ts"
import type { ProviderSpec } from "../../Provider.ts"
import type { RouterSettings } from "../../RouterOptions.ts"
import type {
  Decision,
  Demand,
  ForcedCircuit,
  ProviderState,
  Refusal,
  Reservation,
  Settled,
  Settlement
} from "../../RouterState.ts"
import type { StateChange } from "../../StateChange.ts"
import { admits, isExcluded, mayTake, refusal } from "./Admission.ts"
import { forcedClosed, forcedOpen, onGrant } from "./Breaker.ts"
import { explanation } from "./Explaining.ts"
import { type LastResort, lastResort, soonerAsLast } from "./LastResort.ts"
import { Pins } from "./Pins.ts"
import type { ProviderLedger } from "./ProviderLedger.ts"
import { providerState } from "./providerState.ts"
import { best, type LaneViews, laneViews, ranked } from "./Ranking.ts"
import { countable } from "./Reading.ts"
import { Roster } from "./Roster.ts"
import { Settling } from "./Settling.ts"
import { nothing } from "./Windows.ts"

export class Ledger {
  readonly #roster: Roster
  /** Each open reservation with the ledger it was taken from: a provider may leave, or return anew, meanwhile. */
  readonly #open = new Map<Reservation, ProviderLedger>()
  readonly #pins: Pins
  readonly #views: LaneViews
  readonly #settling: Settling
  /** Another number whenever a limit or the list changed: what never fits may be another thing then. */
  terms = 0
  #lastMs = Number.NEGATIVE_INFINITY
  #skewMs = 0
  /** When the last call of last resort went out. */
  lastResortMs = Number.NEGATIVE_INFINITY

  constructor(readonly settings: RouterSettings, onChange: (change: StateChange) => void) {
    this.#roster = new Roster(settings)
    this.#pins = new Pins(settings.affinity)
    this.#views = laneViews(settings)
    this.#settling = new Settling(settings, this.#pins, (change) => {
      if (change._tag === "LimitLearned") this.terms++
      onChange(change)
    })
  }

  /** Reservations that are not settled yet. */
  get open(): number {
    return this.#open.size
  }

  /** The moment of the last step, as the ledger counts it. */
  get nowMs(): number {
    return this.#lastMs
  }

  /** The providers of the newest list, as of the last step. */
  get providers(): ReadonlyArray<ProviderLedger> {
    return this.#roster.providers
  }

  /** These and those that left, rolled to the last step, as long as their vendors remember them. */
  get remembered(): ReadonlyArray<ProviderLedger> {
    const { remembered } = this.#roster
    for (const provider of remembered) provider.roll(this.#lastMs)
    return remembered
  }

  /** Moves the ledger on to the clock's time, which it answers as it counts it, and takes over a new list. */
  advance(clockMs: number, specs = this.#roster.specs): number {
    const nowMs = this.#forward(clockMs)
    this.#follow(specs, nowMs)
    for (const provider of this.providers) provider.roll(nowMs)
    return nowMs
  }

  /** The provider that the demand would be given now; nothing is taken. The list of the demand is not looked at. */
  decide(demand: Demand): ProviderLedger | undefined {
    return this.#pinned(demand) ?? best(this.providers, demand, this.settings, this.#views, this.#lastMs)
  }

  /** Takes the capacity of the best candidate; `undefined` where none may take the request. */
  place(demand: Demand): Reservation | undefined {
    const chosen = this.decide(demand)
    return chosen === undefined ? undefined : this.#grant(chosen, demand, this.#reason(chosen, demand))
  }

  /** Who is to be asked for the demand, in this order; see `Ranking.ranked`. */
  ranked(demand: Demand): ReadonlyArray<ProviderLedger> {
    return ranked(this.providers, demand, this.settings, this.#views, this.#lastMs)
  }

  /** Takes the capacity of this provider, whether it has it or not: a store elsewhere has the last word. */
  take(provider: ProviderLedger, demand: Demand): Reservation {
    return this.#grant(provider, demand, "ranked")
  }

  /**
   * Takes over a reservation that was granted elsewhere; `undefined` where its provider is not known here. `holds`: what
   * it takes is not counted here yet.
   */
  adopt(reservation: Reservation, holds: boolean): ProviderLedger | undefined {
    const provider = this.#roster.get(reservation.provider)
    if (provider === undefined) return undefined
    if (holds) provider.hold(reservation, reservation.reservedAtMs)
    this.#open.set(reservation, provider)
    return provider
  }

  /** Gives back what was taken, as though it had never been. The breaker stays as it is. */
  withdraw(reservation: Reservation): void {
    const provider = this.#open.get(reservation)
    this.#open.delete(reservation)
    provider?.withdraw(reservation)
  }

  /** When a call may go out as a last resort; `Infinity` where that is no question. */
  lastResortAtMs(demand: Demand): number {
    return this.#lastResort(demand)?.atMs ?? Number.POSITIVE_INFINITY
  }

  /** Takes the capacity of a provider that is not in service, where none is. */
  placeLast(demand: Demand): Reservation | undefined {
    const found = this.#lastResort(demand)
    if (found === undefined || found.atMs > this.#lastMs) return undefined
    this.lastResortMs = this.#lastMs
    return this.#grant(found.provider, demand, "last_resort")
  }

  /** Whether another may take the demand in the first half of its time, as far as is known. */
  hasAlternative(chosen: ProviderLedger, demand: Demand): boolean {
    return this.providers.some((other) => other !== chosen && mayTake(other, demand, demand.timeLeftMs / 2))
  }

  /** Why each provider is no candidate. */
  refusals(demand: Demand): ReadonlyArray<Refusal> {
    return this.providers.flatMap((provider) => refusal(provider, demand) ?? [])
  }

  /** The same as a decision: the provider of a last resort is back as soon as that may go out. */
  refused(demand: Demand): Decision {
    const lastInMs = this.lastResortAtMs(demand) - this.#lastMs
    return { _tag: "Refused", refusals: soonerAsLast(this.refusals(demand), this.providers, demand, lastInMs) }
  }

  reserve(demand: Demand, clockMs: number): Decision {
    this.#follow(demand.providers, this.#forward(clockMs))
    const reservation = this.place(demand) ?? this.placeLast(demand)
    if (reservation !== undefined) return { _tag: "Granted", reservation }
    this.advance(clockMs)
    return { _tag: "Refused", refusals: this.refusals(demand) }
  }

  /** Settles once; `undefined` where the reservation was settled before. */
  settle(reservation: Reservation, settlement: Settlement, clockMs: number): Settled | undefined {
    const provider = this.#open.get(reservation)
    if (provider === undefined) return undefined
    this.#open.delete(reservation)
    const nowMs = this.#forward(clockMs)
    provider.roll(nowMs)
    provider.release(reservation)
    if (settlement._tag === "Unused") provider.count(nothing)
    this.#settling.settle(provider, reservation, settlement, nowMs)
    provider.measure()
    provider.needsInput = 0
    provider.needsOutput = 0
    return { headroom: Math.max(0, provider.headroom), circuit: provider.breaker._tag }
  }

  snapshot(specs: ReadonlyArray<ProviderSpec>, clockMs: number): ReadonlyArray<ProviderState> {
    this.advance(clockMs, specs)
    return this.providers.map(providerState)
  }

  /** The decision that the demand would meet now, the line left aside; nothing is taken. */
  explain(demand: Demand, clockMs: number): Explanation {
    const nowMs = this.advance(clockMs, demand.providers)
    const chosen = this.decide(demand)
    if (chosen !== undefined) return this.explained(demand, chosen, this.#reason(chosen, demand))
    const last = this.#lastResort(demand)
    return last !== undefined && last.atMs <= nowMs
      ? this.explained(demand, last.provider, "last_resort")
      : this.explained(demand, undefined, undefined)
  }

  /** Moves a circuit by hand. `false` where no provider of that name is in the list. */
  force(specs: ReadonlyArray<ProviderSpec>, name: string, circuit: ForcedCircuit, clockMs: number): boolean {
    const nowMs = this.advance(clockMs, specs)
    const provider = this.#roster.get(name)
    if (provider === undefined) return false
    const { breaker } = provider
    if (circuit._tag === "Open") {
      this.#settling.move(provider, forcedOpen(breaker, this.settings.breaker, nowMs + circuit.forMs), nowMs)
    } else {
      provider.benchedUntilMs = Number.NEGATIVE_INFINITY
      this.#settling.move(provider, forcedClosed(breaker, nowMs), nowMs)
    }
    return true
  }

  /** The decision for this provider, and why, with what is known of each. */
  explained(demand: Demand, chosen: ProviderLedger | undefined, reason: RouteReason | undefined): Explanation {
    for (const provider of this.providers) provider.roll(this.#lastMs)
    return explanation(this.providers, demand, {
      settings: this.settings,
      view: this.#views[demand.lane],
      chosen: chosen?.name,
      reason,
      lastResortInMs: this.lastResortAtMs(demand) - this.#lastMs
    })
  }

  /** `isPinned`: the session has brought it there. */
  reason(chosen: ProviderLedger, demand: Demand, isPinned: boolean): RouteReason {
    if (demand.forceProvider !== undefined) return "forced"
    if (isPinned) return "session"
    for (const other of this.providers) {
      if (other !== chosen && !isExcluded(other, demand)) return "ranked"
    }
    return "only"
  }

  #reason(chosen: ProviderLedger, demand: Demand): RouteReason {
    return this.reason(chosen, demand, this.#pinOf(demand) === chosen)
  }

  #lastResort(demand: Demand): LastResort | undefined {
    const options = { everyMs: this.settings.breaker.lastResort, lastMs: this.lastResortMs }
    return lastResort(this.providers, demand, options)
  }

  /** Time as the ledger counts it: where the clock jumps back, it goes on from the last moment seen. */
  #forward(clockMs: number): number {
    if (clockMs + this.#skewMs < this.#lastMs) this.#skewMs = this.#lastMs - clockMs
    this.#lastMs = clockMs + this.#skewMs
    return this.#lastMs
  }

  /** Takes over a list of providers. */
  #follow(specs: ReadonlyArray<ProviderSpec>, nowMs: number): void {
    if (this.#roster.follow(specs, nowMs)) this.terms++
  }

  /** The session's provider, as long as it may take the request. */
  #pinned(demand: Demand): ProviderLedger | undefined {
    const provider = this.#pinOf(demand)
    if (provider === undefined) return undefined
    provider.roll(this.#lastMs)
    provider.quote(demand)
    return admits(provider, demand) ? provider : undefined
  }

  #pinOf({ sessionId }: Demand): ProviderLedger | undefined {
    return sessionId === undefined ? undefined : this.#roster.get(this.#pins.get(sessionId, this.#lastMs) ?? "")
  }

  #grant(provider: ProviderLedger, demand: Demand, reason: RouteReason): Reservation {
    // As the decision was made: before anything is taken.
    const explained = demand.explain === true ? this.explained(demand, provider, reason) : undefined
    this.#settling.move(provider, onGrant(provider.breaker, this.settings.breaker, this.#lastMs), this.#lastMs)
    provider.quote(demand)
    const { needsInput: inputTokens, needsOutput: outputTokens } = provider
    provider.hold({ inputTokens, outputTokens })
    const reservation: Reservation = {
      provider: provider.name,
      inputTokens,
      outputTokens,
      estimatedInputTokens: demand.inputTokens,
      outputCharged: provider.spec.counting.chargesMaxTokens && demand.maxTokens !== undefined,
      reservedAtMs: this.#lastMs,
      epoch: provider.breaker.epoch,
      sessionId: demand.sessionId,
      lastResort: reason === "last_resort",
      streams: demand.streams,
      hasAlternative: this.hasAlternative(provider, demand),
      reason,
      explanation: explained,
      // What the vendor should find when this call comes: it is counted with it.
      countable: countable(provider)
    }
    this.#open.set(reservation, provider)
    return reservation
  }
}
