/**
 * What this instance knows of the shared ledger: core's own ledger, each provider of it made anew from what the scripts
 * answer. It ranks, says why and until when, and tells the line who would fit; the last word is the scripts'.
 *
 * What has been sent and not answered yet is held here on top, so that the next request sees it: an answer says how
 * things stood before whatever was sent after it.
 */
import type { Demand, ProviderSpec, Reservation, RouterSettings, Settled, Settlement } from "@route-llm/core"
import { Ledger, Line, type ProviderLedger, type ProviderRecord, restore } from "@route-llm/core/kernel"

/** The candidates in order, and what is held for the first meanwhile. */
export interface Quote {
  readonly candidates: ReadonlyArray<ProviderLedger>
  readonly held: Reservation | undefined
}

export class Mirror {
  readonly ledger: Ledger
  readonly line: Line
  /** Held for what is under way to Redis. */
  readonly #held = new Map<Reservation, ProviderLedger>()
  /** The rows of providers that are here what they were there, and nothing else. */
  readonly #rows = new WeakMap<ProviderLedger, Buffer>()
  /** When Redis last said how things stand, by this process's clock. */
  heardAtMs = Number.NEGATIVE_INFINITY

  constructor(settings: RouterSettings) {
    this.ledger = new Ledger(settings, () => {})
    this.line = new Line(this.ledger, settings.waiting, true)
  }

  /** The newest list of providers. */
  specs: ReadonlyArray<ProviderSpec> = []

  follow(specs: ReadonlyArray<ProviderSpec>, nowMs: number): void {
    this.specs = specs
    this.ledger.advance(nowMs, specs)
  }

  /** Of the newest list. */
  find({ model, name }: Pick<ProviderSpec, "name" | "model">): ProviderLedger | undefined {
    return this.ledger.providers.find(({ spec }) => spec.name === name && spec.model === model)
  }

  /** Whom to ask, in which order. `held`: what the line, which goes by the newest list, has taken for it already. */
  quote(demand: Demand, held: Reservation | undefined, nowMs: number): Quote {
    this.follow(held === undefined ? demand.providers : this.specs, nowMs)
    const candidates = this.ledger.ranked(demand)
    if (held !== undefined) {
      const first = candidates.filter(({ name }) => name === held.provider)
      return { candidates: [...first, ...candidates.filter(({ name }) => name !== held.provider)], held }
    }
    const [best] = candidates
    return { candidates, held: best === undefined ? undefined : this.hold(this.ledger.take(best, demand)) }
  }

  /** What the ledger here has taken stays taken until Redis has said whether it is. */
  hold(reservation: Reservation): Reservation {
    const provider = this.ledger.providers.find(({ name }) => name === reservation.provider)
    if (provider !== undefined) {
      this.#held.set(reservation, provider)
      this.#rows.delete(provider)
    }
    return reservation
  }

  /** Redis has answered, or will not. */
  withdraw(held: Reservation | undefined): void {
    if (held === undefined) return
    this.#held.delete(held)
    this.ledger.withdraw(held)
  }

  /** Nothing has changed since the row that was read last: most of those who were not chosen. */
  isCurrent(provider: ProviderLedger, row: Buffer): boolean {
    return this.#rows.get(provider)?.equals(row) === true
  }

  /** A provider is what Redis says, and what is under way. */
  load(provider: ProviderLedger, record: ProviderRecord, row: Buffer): void {
    const before = provider.bounded.map(({ limit }) => limit)
    restore(provider, record)
    const { bounded } = provider
    if (bounded.length !== before.length || bounded.some(({ limit }, index) => limit !== before[index])) {
      this.ledger.terms++
    }
    this.#rows.set(provider, row)
    for (const [reservation, of] of this.#held) {
      if (of !== provider) continue
      provider.hold(reservation, reservation.reservedAtMs)
      this.#rows.delete(provider)
    }
  }

  /** The call has ended: known here at once, and for good with the next answer. */
  settle(reservation: Reservation, settlement: Settlement, nowMs: number): Settled | undefined {
    const provider = this.ledger.adopt(reservation, false)
    if (provider === undefined) return undefined
    this.#rows.delete(provider)
    return this.ledger.settle(reservation, settlement, nowMs)
  }
}
