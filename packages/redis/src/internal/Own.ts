/**
 * What this instance does itself, in a ledger of its own. While Redis has the word it is only kept, so that a Redis that
 * has lost everything can be told; while Redis is away it decides, on this instance's share of every limit.
 *
 * The shares, so that all instances together never take more than a limit, without a word between them:
 *
 * - In the window after Redis went away: what the instance had in its window then, and its part of what was free, but
 *   never more than its part of the limit. What the instances had was within the limit together, so it still is. What was
 *   free then is known from the last answer, less what the others may have taken since.
 * - Later: its part of the limit. By then nobody has more than that in his window.
 * - Of a limit a day, the first rule until Redis is back: a day is longer than most outages.
 */
import type { Demand, Dimension, Limits, ProviderSpec, Reservation, RouterSettings, StateChange } from "@route-llm/core"
import type { Settled, Settlement } from "@route-llm/core"
import { Ledger, Line, type ProviderLedger, rows } from "@route-llm/core/kernel"
import { countItem, type Item } from "./Batch.ts"

/** How many instances there are, and which of them this is. */
export interface Place {
  readonly instances: number
  readonly index: number
}

/** Where limits are not shared. */
const alone: Place = { instances: 1, index: 0 }

/** How much quicker than in the window the others may have been since Redis was last heard of. */
const haste = 4

/** Less than any request needs: a limit of 0 would be no limit at all. */
const nothing = 0.5

/** One of so many equal parts, in whole numbers; the first ones get what is left over. */
const part = (amount: number, { index, instances }: Place): number =>
  Math.floor(amount / instances) + (index < Math.floor(amount) % instances ? 1 : 0)

interface Caps {
  /** In the window after Redis went away, and of daily limits. */
  readonly first: number
  readonly later: number
}

export class Own {
  readonly ledger: Ledger
  readonly line: Line
  #caps = new Map<string, Map<Dimension, Caps>>()
  #place: Place = alone
  #firstUntilMs = Number.NEGATIVE_INFINITY
  #given: ReadonlyArray<ProviderSpec> = []
  #shares: ReadonlyArray<ProviderSpec> = []
  #isFirst = false

  constructor(readonly settings: RouterSettings, onChange: (change: StateChange) => void) {
    this.ledger = new Ledger(settings, onChange)
    this.line = new Line(this.ledger, settings.waiting)
  }

  /** Redis has granted this. */
  record(reservation: Reservation, specs: ReadonlyArray<ProviderSpec>, nowMs: number): void {
    this.ledger.advance(nowMs, specs)
    this.ledger.adopt(reservation, true)
  }

  /** What a vendor says of its limits is about everyone, and so not about a share. */
  settle(reservation: Reservation, settlement: Settlement, nowMs: number): Settled | undefined {
    const said = settlement._tag === "Unused" ? settlement : { ...settlement, limits: undefined }
    return this.ledger.settle(reservation, said, nowMs)
  }

  /** Redis is away. `unheardMs`: how old what is known of the others' use is. */
  begin(
    { ledger, unheardMs }: { readonly ledger: Ledger; readonly unheardMs: number },
    options: { readonly place: Place; readonly isShared: boolean; readonly firstUntilMs: number },
    nowMs: number
  ): void {
    this.#place = options.isShared ? options.place : alone
    this.#firstUntilMs = options.firstUntilMs
    this.#shares = []
    this.#caps = new Map()
    this.ledger.advance(nowMs)
    for (const known of ledger.providers) {
      known.roll(nowMs)
      const mine = this.ledger.providers.find(({ name }) => name === known.name)
      if (mine !== undefined) takeOver(mine, known)
      const caps = new Map<Dimension, Caps>()
      known.meters.forEach((meter, row) => {
        const { limit } = meter
        if (!Number.isFinite(limit)) return
        const own = mine?.meters[row]
        const used = own === undefined ? 0 : own.counted + own.reserved
        const others = Math.max(0, known.used(meter) - used)
        const since = others === 0 ? 0 : others * haste * unheardMs / meter.spanMs
        const free = Math.max(0, limit - used - others - since)
        const later = options.isShared ? part(limit, options.place) : limit
        const first = options.isShared ? Math.min(later, used + Math.floor(free / options.place.instances)) : limit
        caps.set(meter.dimension, { first, later })
      })
      this.#caps.set(known.name, caps)
    }
  }

  /** The same providers with this instance's share of their limits. */
  shares(specs: ReadonlyArray<ProviderSpec>, nowMs: number): ReadonlyArray<ProviderSpec> {
    const isFirst = nowMs < this.#firstUntilMs
    if (specs === this.#given && isFirst === this.#isFirst && this.#shares.length > 0) return this.#shares
    this.#given = specs
    this.#isFirst = isFirst
    this.#shares = specs.map((spec) => ({ ...spec, limits: this.#share(spec, isFirst) }))
    return this.#shares
  }

  demand(demand: Demand, nowMs: number): Demand {
    return { ...demand, providers: this.shares(demand.providers, nowMs) }
  }

  /** Everything that its windows count, bucket by bucket, also of providers that have left the list. */
  counts(nowMs: number): ReadonlyArray<Item> {
    this.ledger.advance(nowMs)
    return this.ledger.remembered.flatMap(({ spec, windows: { day, minute } }) => [
      ...cellsOf(minute).map(({ atMs, cells: [requests = 0, input = 0, output = 0] }) =>
        countItem(spec, "minute", { atMs, requests, input, output })
      ),
      ...cellsOf(day).map(({ atMs, cells: [requests = 0, tokens = 0] }) =>
        countItem(spec, "day", { atMs, requests, input: tokens, output: 0 })
      )
    ])
  }

  #share(spec: ProviderSpec, isFirst: boolean): Limits {
    const caps = this.#caps.get(spec.name)
    const limits: Partial<Record<Dimension, number>> = {}
    for (const { dimension, span } of rows) {
      const known = caps?.get(dimension)
      const declared = spec.limits[dimension]
      const share = known === undefined
        ? declared === undefined ? undefined : part(declared, this.#place)
        : isFirst || span === "day"
        ? known.first
        : known.later
      if (share !== undefined) limits[dimension] = Math.max(nothing, share)
    }
    return limits
  }
}

/** What the fleet knows of the provider's health and its answers. */
const takeOver = (mine: ProviderLedger, known: ProviderLedger): void => {
  mine.latency = known.latency
  mine.firstToken = known.firstToken
  // Whoever probes it, it is not this instance's own ledger that hears of it.
  mine.breaker = known.breaker._tag === "half_open"
    ? { ...known.breaker, probeUntilMs: Number.NEGATIVE_INFINITY }
    : known.breaker
  mine.benchedUntilMs = known.benchedUntilMs
  mine.bench = known.bench
  mine.outSinceMs = known.outSinceMs
  mine.lastError = known.lastError
  mine.learned.inputRatio = known.learned.inputRatio
  mine.learned.inputDeviation = known.learned.inputDeviation
  mine.learned.outputMean = known.learned.outputMean
  mine.learned.outputDeviation = known.learned.outputDeviation
}

const cellsOf = (window: ProviderLedger["windows"]["minute"]) => {
  const { bucketMs, columns, headMs, size } = window
  if (!Number.isFinite(headMs)) return []
  return Array.from({ length: size }, (_, age) => ({
    // The bucket's end: it counts for no shorter than it would have.
    atMs: headMs + (1 - age) * bucketMs,
    cells: Array.from({ length: columns }, (_, column) => window.cell(age, column))
  })).filter(({ cells }) => cells.some((amount) => amount > 0))
}
