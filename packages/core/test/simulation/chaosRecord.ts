/**
 * One vendor, judged from outside: what the script did to it, what it was sent, and how full it was. Nothing here is the
 * router's own reckoning.
 */
import type { FailureClass } from "@route-llm/core"
import type { Condition, VendorModel } from "@route-llm/core/simulation"
import type { Call } from "./chaosPlay.ts"
import { type ChaosRequest, hour } from "./chaosScript.ts"

/** How full a vendor was is written down by the second: the most that counted at any moment of it. */
const step = 1_000
const steps = 1.1 * hour / step

const windowMs = 60_000
/** A request counts for a vendor when it arrives; for whoever sends it, half a second later at most. */
const transitMs = 500

type Counted = "requests" | "tokens" | "inputTokens" | "outputTokens" | "concurrent"

/** What a request takes of each limit. */
const takes = (
  { inputTokens, outputTokens, request }: ChaosRequest,
  { counting }: VendorModel
): Readonly<Record<Counted, number>> => {
  const output = counting.chargesMaxTokens ? request.maxTokens ?? outputTokens : outputTokens
  return { requests: 1, tokens: inputTokens + output, inputTokens, outputTokens: output, concurrent: 1 }
}

const isLimited = (name: string): name is Counted =>
  name === "requests" || name === "tokens" || name === "inputTokens" || name === "outputTokens" || name === "concurrent"

/** The first index from which on `at` is beyond `ms`; `at` must not fall. */
const firstAfter = <A>(list: ReadonlyArray<A>, at: (each: A) => number, ms: number): number => {
  let low = 0
  let high = list.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (at(list[middle]!) > ms) high = middle
    else low = middle + 1
  }
  return low
}

export class VendorRecord {
  readonly name: string
  readonly #transitMs: number
  /** The smaller of what is enforced and what is declared: nobody may be expected to go beyond either. */
  readonly limits: ReadonlyArray<readonly [name: Counted, limit: number]>
  readonly #used: Readonly<Record<Counted, Float64Array>>
  /** Calls that came to grief by the vendor's doing, in order of their end. */
  readonly #grief: ReadonlyArray<Call>

  constructor(readonly model: VendorModel, readonly calls: ReadonlyArray<Call>) {
    this.name = model.name
    this.#transitMs = model.transit.max
    const { declared = {}, limits } = model
    this.limits = Object.entries({ ...declared, ...limits }).flatMap(([name, limit = Infinity]) =>
      isLimited(name) ? [[name, Math.min(limit, declared[name] ?? limit)] as const] : []
    )
    const empty = () => new Float64Array(steps)
    this.#used = {
      requests: empty(),
      tokens: empty(),
      inputTokens: empty(),
      outputTokens: empty(),
      concurrent: empty()
    }
    for (const call of calls) this.#count(call)
    this.#grief = calls.filter((call) => this.#isGrief(call)).sort((a, b) => a.endedMs - b.endedMs)
  }

  /**
   * Whatever was sent counts at its full size, answered or not, until it has ended and left the window: whoever sends
   * cannot know what a vendor that broke off had counted already.
   */
  #count({ endedMs, of, sentMs }: Call): void {
    const amounts = takes(of, this.model)
    const arrivedMs = Math.min(endedMs, sentMs + transitMs)
    this.#add("concurrent", 1, sentMs, endedMs)
    this.#add("requests", 1, sentMs, Math.max(endedMs, arrivedMs + windowMs))
    this.#add("inputTokens", amounts.inputTokens, sentMs, Math.max(endedMs, arrivedMs + windowMs))
    this.#add("outputTokens", amounts.outputTokens, sentMs, endedMs + windowMs)
    this.#add("tokens", amounts.inputTokens, sentMs, Math.max(endedMs, arrivedMs + windowMs))
    this.#add("tokens", amounts.tokens - amounts.inputTokens, sentMs, endedMs + windowMs)
  }

  #add(name: Counted, amount: number, fromMs: number, untilMs: number): void {
    const used = this.#used[name]
    const last = Math.min(steps - 1, Math.floor(untilMs / step))
    for (let at = Math.floor(fromMs / step); at <= last; at++) used[at]! += amount
  }

  /** The script's conditions for a call that was sent then. */
  conditionsAt(sentMs: number): ReadonlyArray<Condition> {
    const arrivedMs = sentMs + this.#transitMs
    return this.model.conditions.filter(({ from, until }) => from <= arrivedMs && arrivedMs < until)
  }

  /** Those that meet a call which is sent in this span. */
  conditionsIn(fromMs: number, untilMs: number): ReadonlyArray<Condition> {
    const late = this.#transitMs
    return this.model.conditions.filter(({ from, until }) => from <= untilMs + late && fromMs + late < until)
  }

  /** How long the answer takes by the model, from the sending to the answer, with nothing bad about. */
  answerMs({ outputTokens }: ChaosRequest): number {
    const { latency, transit } = this.model
    return latency.firstTokenMs + latency.perTokenMs * outputTokens + 2 * transit.max
  }

  /** The most of any limit that was used in this span, the request on top: a share of the limit. */
  fullest(of: ChaosRequest, fromMs: number, untilMs: number): number {
    const amounts = takes(of, this.model)
    let fullest = 0
    const last = Math.min(steps - 1, Math.floor(untilMs / step))
    for (const [name, limit] of this.limits) {
      const used = this.#used[name]
      for (let at = Math.floor(fromMs / step); at <= last; at++) {
        fullest = Math.max(fullest, (used[at]! + amounts[name]) / limit)
      }
    }
    return fullest
  }

  /** Of the calls that came to grief and ended by then, the last one's end. */
  lastGriefMs(byMs: number): number {
    const index = firstAfter(this.#grief, ({ endedMs }) => endedMs, byMs)
    return this.#grief[index - 1]?.endedMs ?? Number.NEGATIVE_INFINITY
  }

  /** The classes of those that ended in this span. */
  griefIn(fromMs: number, untilMs: number): ReadonlyArray<Call["result"]> {
    const from = firstAfter(this.#grief, ({ endedMs }) => endedMs, fromMs)
    const until = firstAfter(this.#grief, ({ endedMs }) => endedMs, untilMs)
    return this.#grief.slice(from, until).map(({ result }) => result)
  }

  /** When a call that was sent after this moment was first answered; `Infinity`: never. */
  answeredAfterMs(ms: number): number {
    let soonest = Number.POSITIVE_INFINITY
    for (let index = firstAfter(this.calls, ({ sentMs }) => sentMs, ms); index < this.calls.length; index++) {
      const { endedMs, result, sentMs } = this.calls[index]!
      if (sentMs > soonest) return soonest
      if (result === "answered") soonest = Math.min(soonest, endedMs)
    }
    return soonest
  }

  /** What the script and the limits allow this call to have come to. */
  allows({ endedMs, of, result, sentMs }: Call): boolean {
    const conditions = this.conditionsAt(sentMs)
    const drags = conditions.some(({ does }) => does === "slow" || does === "hang")
    const fails = (failure: FailureClass) => conditions.some((each) => each.does === "fail" && each.class === failure)
    if (result === "answered") return true
    if (result === "under way") return false
    // Whoever left did so because the answer takes longer than that.
    if (result === "cut") return drags || conditions.length > 0 || this.answerMs(of) >= endedMs - sentMs
    if (result === "rate_limit") return fails(result) || this.fullest(of, sentMs, endedMs) > 1
    return fails(result)
  }

  #isGrief({ result, sentMs }: Call): boolean {
    return result !== "answered" && (result !== "cut" || this.conditionsAt(sentMs).length > 0)
  }
}
