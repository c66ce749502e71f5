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
import { Duration } from "effect"
import { consequences } from "../../FailureClass.ts"
import type { ProviderSpec } from "../../Provider.ts"
import type { RouterSettings } from "../../RouterOptions.ts"
import type { Decision, Demand, ProviderState, Reservation, Settlement, StateChange } from "../../RouterState.ts"
import { admission, cost, refusal } from "./Admission.ts"
import { type Breaker, type BreakerResult, onGrant, onResult } from "./Breaker.ts"
import { sampleLatency } from "./Latency.ts"
import { Pins } from "./Pins.ts"
import { ProviderLedger, REQUESTS, TOKENS } from "./ProviderLedger.ts"
import { best } from "./Ranking.ts"

/**
 * A timeout says something of the provider only where the call had this many times its usual latency; a caller in more
 * of a hurry than that must not open its circuit for everyone.
 */
const patience = 4

/** More tokens than any answer has, and few enough that a window of such answers is still summed exactly. */
const mostTokens = 2 ** 40

/** What a vendor reported, if it is a count at all; the ring's sums are exact for whole numbers only. */
const counted = (tokens: number, reserved: number): number =>
  Number.isFinite(tokens) && tokens >= 0 ? Math.min(Math.ceil(tokens), mostTokens) : reserved

export class Ledger {
  readonly #byName = new Map<string, ProviderLedger>()
  /** Each open reservation with the ledger it was taken from: a provider may leave, or return anew, meanwhile. */
  readonly #open = new Map<Reservation, ProviderLedger>()
  readonly #pins: Pins
  #specs: ReadonlyArray<ProviderSpec> = []
  #providers: ReadonlyArray<ProviderLedger> = []
  #lastMs = Number.NEGATIVE_INFINITY
  #skewMs = 0

  constructor(readonly settings: RouterSettings, readonly onChange: (change: StateChange) => void) {
    this.#pins = new Pins(settings.affinity)
  }

  /** Reservations that are not settled yet. */
  get open(): number {
    return this.#open.size
  }

  /** The provider that `reserve` would take now; nothing is taken. */
  decide(demand: Demand, clockMs: number): ProviderLedger | undefined {
    const nowMs = this.#forward(clockMs)
    const providers = this.#follow(demand.providers, nowMs)
    return this.#pinned(demand, nowMs) ?? best(providers, demand, this.settings, nowMs)
  }

  reserve(demand: Demand, clockMs: number): Decision {
    const chosen = this.decide(demand, clockMs)
    const nowMs = this.#lastMs
    if (chosen !== undefined) return { _tag: "Granted", reservation: this.#grant(chosen, demand, nowMs) }
    const refusals = this.#providers.map((provider) => refusal(provider, demand, nowMs))
    return { _tag: "Refused", refusals: refusals.filter((one) => one !== undefined) }
  }

  /** Settles once; `undefined` where the reservation was settled before. */
  settle(reservation: Reservation, settlement: Settlement, clockMs: number): ProviderState | undefined {
    const provider = this.#open.get(reservation)
    if (provider === undefined) return undefined
    this.#open.delete(reservation)
    const nowMs = this.#forward(clockMs)
    provider.roll(nowMs)
    this.#account(provider, reservation, settlement, nowMs)
    if (settlement._tag === "Success") this.#succeeded(provider, reservation, settlement, nowMs)
    else this.#failed(provider, reservation, settlement, nowMs)
    return provider.state()
  }

  snapshot(specs: ReadonlyArray<ProviderSpec>, clockMs: number): ReadonlyArray<ProviderState> {
    const nowMs = this.#forward(clockMs)
    return this.#follow(specs, nowMs).map((provider) => {
      provider.roll(nowMs)
      return provider.state()
    })
  }

  /** Time as the ledger counts it: where the clock jumps back, it goes on from the last moment seen. */
  #forward(clockMs: number): number {
    if (clockMs + this.#skewMs < this.#lastMs) this.#skewMs = this.#lastMs - clockMs
    this.#lastMs = clockMs + this.#skewMs
    return this.#lastMs
  }

  /**
   * Keeps one `ProviderLedger` a provider, through changes of the list: one that left is remembered until its window
   * has passed and nothing of it is in flight, since its vendor remembers it as long.
   */
  #follow(specs: ReadonlyArray<ProviderSpec>, nowMs: number): ReadonlyArray<ProviderLedger> {
    if (specs === this.#specs) return this.#providers
    for (const provider of this.#providers) provider.leftAtMs = nowMs
    this.#providers = specs.map((spec) => {
      const before = this.#byName.get(spec.name)
      const provider = before?.spec.model === spec.model ? before : new ProviderLedger(spec, this.settings, nowMs)
      provider.spec = spec
      provider.leftAtMs = undefined
      this.#byName.set(spec.name, provider)
      return provider
    })
    this.#specs = specs
    for (const [name, provider] of this.#byName) {
      if (provider.isForgotten(nowMs)) this.#byName.delete(name)
    }
    return this.#providers
  }

  /** The session's provider, as long as it may take the request. */
  #pinned(demand: Demand, nowMs: number): ProviderLedger | undefined {
    if (demand.sessionId === undefined) return undefined
    const provider = this.#byName.get(this.#pins.get(demand.sessionId, nowMs) ?? "")
    if (provider === undefined || provider.leftAtMs !== undefined) return undefined
    provider.roll(nowMs)
    return admission(provider, demand, cost(provider, demand), nowMs) === undefined ? provider : undefined
  }

  #grant(provider: ProviderLedger, demand: Demand, nowMs: number): Reservation {
    this.#move(provider, onGrant(provider.breaker), nowMs)
    const inputTokens = provider.inputCost(demand)
    const reservation: Reservation = {
      provider: provider.spec.name,
      inputTokens,
      outputTokens: cost(provider, demand) - inputTokens,
      estimatedInputTokens: demand.inputTokens,
      outputCharged: provider.spec.chargesMaxTokens && demand.maxTokens !== undefined,
      reservedAtMs: nowMs,
      epoch: provider.breaker.epoch,
      sessionId: demand.sessionId
    }
    provider.inFlightRequests += 1
    provider.inFlightTokens += reservation.inputTokens + reservation.outputTokens
    this.#open.set(reservation, provider)
    return reservation
  }

  /** Moves what was reserved from "in flight" into the buckets where it rolls out. */
  #account(provider: ProviderLedger, reservation: Reservation, settlement: Settlement, nowMs: number): void {
    provider.inFlightRequests -= 1
    provider.inFlightTokens -= reservation.inputTokens + reservation.outputTokens
    const countedAtMs = Math.min(nowMs, reservation.reservedAtMs + this.settings.transit)
    provider.window.add(countedAtMs, REQUESTS, 1)
    const refunded = settlement._tag === "Failure" && consequences[settlement.class].tokens === "refunded"
    const used = settlement.usage ?? (refunded ? { inputTokens: 0, outputTokens: 0 } : reservation)
    provider.window.add(countedAtMs, TOKENS, counted(used.inputTokens, reservation.inputTokens))
    const output = counted(used.outputTokens, reservation.outputTokens)
    const charged = reservation.outputCharged && !refunded ? Math.max(output, reservation.outputTokens) : output
    provider.window.add(nowMs, TOKENS, charged)
  }

  #succeeded(
    provider: ProviderLedger,
    reservation: Reservation,
    { latencyMs, usage }: Extract<Settlement, { _tag: "Success" }>,
    nowMs: number
  ): void {
    provider.latency = sampleLatency(provider.latency, this.settings.latency, latencyMs, nowMs)
    if (usage !== undefined) {
      provider.learnInput(counted(usage.inputTokens, reservation.inputTokens), reservation.estimatedInputTokens)
      provider.learnOutput(counted(usage.outputTokens, reservation.outputTokens))
    }
    if (reservation.sessionId !== undefined) this.#pins.answered(reservation.sessionId, provider.spec.name, nowMs)
    this.#result(provider, reservation, "success", nowMs)
  }

  #failed(
    provider: ProviderLedger,
    reservation: Reservation,
    failure: Extract<Settlement, { _tag: "Failure" }>,
    nowMs: number
  ): void {
    const consequence = consequences[failure.class]
    const hasty = failure.class === "timeout" && failure.latencyMs < provider.latencyMs * patience
    this.#result(provider, reservation, consequence.breaker && !hasty ? "failure" : "ignored", nowMs)
    if (failure.class === "timeout") this.#slower(provider, failure.latencyMs, nowMs)
    if (consequence.request === "fail") return
    // "Retry-After: 0" names no time.
    const asked = failure.retryAfterMs !== undefined && failure.retryAfterMs > 0 &&
      Number.isFinite(failure.retryAfterMs)
    const usual = consequence.bench === undefined ? 0 : Duration.toMillis(consequence.bench)
    const forMs = asked ? failure.retryAfterMs : usual
    if (forMs <= 0 || nowMs + forMs <= provider.benchedUntilMs) return
    provider.benchedUntilMs = nowMs + forMs
    provider.benchedBecause = failure.class
    this.onChange({ _tag: "Benched", provider: provider.spec.name, because: failure.class, forMs, atMs: nowMs })
  }

  /**
   * A call that was cut off would have taken at least as long: ranking moves away from a provider that hangs, also where
   * its callers are too hasty for the breaker. Up to the score's ceiling, beyond which ranking sees no difference: the
   * average also says what counts as hasty.
   */
  #slower(provider: ProviderLedger, latencyMs: number, nowMs: number): void {
    const sampleMs = Math.min(latencyMs, this.settings.latency.ceiling)
    if (sampleMs <= provider.latencyMs) return
    provider.latency = sampleLatency(provider.latency, this.settings.latency, sampleMs, nowMs)
  }

  #result(provider: ProviderLedger, reservation: Reservation, result: BreakerResult, nowMs: number): void {
    this.#move(provider, onResult(provider.breaker, this.settings.breaker, reservation.epoch, result, nowMs), nowMs)
  }

  #move(provider: ProviderLedger, breaker: Breaker, nowMs: number): void {
    const from = provider.breaker._tag
    provider.breaker = breaker
    if (from === breaker._tag) return
    this.onChange({ _tag: "CircuitMoved", provider: provider.spec.name, from, to: breaker._tag, atMs: nowMs })
  }
}
