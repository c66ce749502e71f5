/**
 * What one seed makes of an hour: five vendors with their bad hours, and 10,000 requests. Nothing else is left to chance:
 * transit and latency are without draws, so that the script says of each call when it arrived and how long its answer
 * takes. What is slow is slow because the script says so.
 */
import type { ChatRequest } from "@route-llm/core"
import { synthetic, toRequest, type VendorModelInput } from "@route-llm/core/simulation"
import { Utils } from "effect"

type Condition = NonNullable<VendorModelInput["conditions"]>[number]
type Bad = Omit<Extract<Condition, { does: "fail" }>, "from" | "until"> | { does: "slow"; factor: number } | {
  does: "hang"
  share: number
}

const second = 1_000
const minute = 60 * second

/** An hour, and what its last requests may take. */
export const hour = 60 * minute
export const requestsAnHour = 10_000

class Dice {
  readonly #random: Utils.PCGRandom
  constructor(seed: number) {
    this.#random = new Utils.PCGRandom(seed)
  }
  between(min: number, max: number): number {
    return Math.round(min + (max - min) * this.#random.number())
  }
  chance(share: number): boolean {
    return this.#random.number() < share
  }
  pick<A>(list: ReadonlyArray<A>): A {
    return list[Math.floor(this.#random.number() * list.length)]!
  }
  shuffle<A>(list: ReadonlyArray<A>): ReadonlyArray<A> {
    return list.map((each) => ({ each, at: this.#random.number() })).sort((a, b) => a.at - b.at).map(({ each }) => each)
  }
}

const exact = (firstTokenMs: number, perTokenMs: number, transitMs: number) => ({
  latency: { firstTokenMs, perTokenMs },
  transit: { min: transitMs, max: transitMs }
})

/** Together three times what comes: with two of them gone it is tight, with three it is not enough. */
const vendors: ReadonlyArray<VendorModelInput> = [
  { name: "a", limits: { requests: 120, tokens: 180_000 }, ...exact(350, 8, 30) },
  { name: "b", limits: { requests: 80, tokens: 150_000, concurrent: 12 }, ...exact(450, 10, 50) },
  { name: "c", limits: { requests: 150, inputTokens: 120_000, outputTokens: 50_000 }, ...exact(250, 5, 20) },
  {
    name: "d",
    limits: { requests: 70, tokens: 120_000 },
    counting: { chargesMaxTokens: true },
    readings: "arrival",
    ...exact(600, 14, 80)
  },
  // It allows less than is said of it.
  {
    name: "e",
    limits: { requests: 80, tokens: 140_000 },
    declared: { requests: 150, tokens: 200_000 },
    ...exact(400, 9, 40)
  }
]

const outage = (dice: Dice): Bad => ({
  does: "fail",
  class: dice.pick(["network", "overloaded", "transient"]),
  share: dice.pick([1, 1, 0.6])
})
const storm = (dice: Dice): Bad => ({
  does: "fail",
  class: "rate_limit",
  share: dice.between(30, 90) / 100,
  retryAfter: dice.pick([undefined, 2 * second, 20 * second])
})
const brownOut = (): Bad => ({ does: "slow", factor: 8 })
const hang = (dice: Dice): Bad => ({ does: "hang", share: dice.pick([0.3, 1]) })
const refusedKey = (): Bad => ({ does: "fail", class: "credential" })
const truncated = (dice: Dice): Bad => ({ does: "fail", class: "truncated", share: dice.between(20, 50) / 100 })

const kinds = [outage, storm, brownOut, hang, refusedKey, truncated]

/** Bad times with good ones between them, of each kind, some with another on top. */
const badHours = (dice: Dice): ReadonlyArray<Condition> => {
  const conditions: Array<Condition> = []
  const order = dice.shuffle(kinds)
  let atMs = dice.between(2 * minute, 6 * minute)
  for (let index = 0; atMs < hour; index++) {
    const until = atMs + dice.between(30 * second, 4 * minute)
    conditions.push({ ...order[index % order.length]!(dice), from: atMs, until })
    if (dice.chance(0.3)) {
      const from = dice.between(atMs, until)
      conditions.push({ ...dice.pick(kinds)(dice), from, until: from + dice.between(20 * second, 2 * minute) })
    }
    atMs = until + dice.between(3 * minute, 9 * minute)
  }
  return conditions
}

/** The script: each vendor's own bad hours, twice nobody at all, and one whose quota is spent before the end. */
const drawVendors = (dice: Dice): ReadonlyArray<VendorModelInput> => {
  const outages = [
    { from: dice.between(10 * minute, 20 * minute), forMs: 3 * minute },
    { from: dice.between(30 * minute, 45 * minute), forMs: 40 * second }
  ]
  const spent = dice.pick(vendors)
  const quotaFrom = dice.between(35 * minute, 50 * minute)
  return vendors.map((vendor) => ({
    ...vendor,
    conditions: [
      ...outages.map(({ forMs, from }) => ({ ...outage(dice), share: 1, from, until: from + forMs })),
      ...(vendor === spent
        ? [{ does: "fail", class: "quota", from: quotaFrom, until: 2 * hour } as const]
        : []),
      ...badHours(dice)
    ]
  }))
}

/** As it was drawn, with what the checks need of it. */
export interface ChaosRequest {
  readonly atMs: number
  readonly timeoutMs: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly request: ChatRequest
}

const defaultTimeoutMs = 60 * second
const timeouts = [3, 8, 15, 30, 60, 120]
const tooLarge = 300_000

const drawRequest = (dice: Dice, each: Omit<ChaosRequest, "timeoutMs" | "request">): ChaosRequest => {
  const timeoutMs = dice.chance(0.5) ? undefined : dice.pick(timeouts) * second
  const maxTokens = dice.chance(0.25) ? dice.pick([150, 600]) : undefined
  const inputTokens = dice.chance(0.001) ? tooLarge : each.inputTokens
  return {
    ...each,
    inputTokens,
    outputTokens: Math.min(each.outputTokens, maxTokens ?? each.outputTokens),
    timeoutMs: timeoutMs ?? defaultTimeoutMs,
    request: {
      ...toRequest({ ...each, inputTokens }),
      ...(timeoutMs === undefined ? {} : { timeout: timeoutMs }),
      ...(maxTokens === undefined ? {} : { maxTokens }),
      ...dice.pick([{ priority: "high" as const }, { priority: "low" as const }, {}, {}, {}]),
      ...(dice.chance(0.3) ? { sessionId: `s${dice.between(1, 300)}` } : {}),
      ...(dice.chance(0.08) ? { onSaturated: "fail" as const } : {}),
      ...(dice.chance(0.03) ? { forceProvider: dice.pick(vendors).name } : {}),
      ...(dice.chance(0.03) ? { lastResort: false } : {}),
      ...(dice.chance(0.03) ? { maxAttempts: dice.between(1, 3) } : {})
    }
  }
}

/** One hour of one seed. */
export interface Chaos {
  readonly seed: number
  readonly vendors: ReadonlyArray<VendorModelInput>
  readonly requests: ReadonlyArray<ChaosRequest>
}

export const drawChaos = (seed: number): Chaos => {
  const dice = new Dice(seed)
  const workload = synthetic({ seed, duration: "1 hour" }).slice(0, requestsAnHour)
  const stretch = hour / workload.at(-1)!.atMs
  return {
    seed,
    vendors: drawVendors(dice),
    requests: workload.map((each) => drawRequest(dice, { ...each, atMs: each.atMs * stretch }))
  }
}
