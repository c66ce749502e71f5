/** How each of the strategies that stand beside the router chooses its order. */
import { Array as Arr, Order } from "effect"
import { formula } from "../../Policy.ts"
import type { Provider } from "../../Provider.ts"
import type { MakeChooser } from "./baselines.ts"
import { RollingMeter } from "./Meter.ts"

const none = Number.POSITIVE_INFINITY
const minuteMs = 60_000

const byLowest = (rank: (provider: Provider) => number) => Arr.sort(Order.mapInput(Order.number, rank))

/** As declared: a try/catch around each, in a fixed order. */
export const ordered: MakeChooser = (providers) => ({ order: () => providers })

/** Each request starts one further on. */
export const roundRobin: MakeChooser = (providers) => {
  let turn = 0
  return {
    order: () => {
      const start = turn++ % providers.length
      return [...providers.slice(start), ...providers.slice(0, start)]
    }
  }
}

/** Drawn by their limit of requests, as LiteLLM's simple shuffle does; without one by weight. */
export const weightedRandom: MakeChooser = (providers, draw) => ({
  order: () => {
    const left = [...providers]
    const drawn: Array<Provider> = []
    while (left.length > 0) {
      const weights = left.map(({ limits, weight }) => limits.requests ?? weight)
      let at = draw() * weights.reduce((sum, weight) => sum + weight, 0)
      const index = weights.findIndex((weight) => (at -= weight) < 0)
      drawn.push(...left.splice(Math.max(0, index), 1))
    }
    return drawn
  }
})

interface Minute {
  readonly minute: number
  requests: number
  tokens: number
}

/**
 * The one that has used the fewest tokens in this minute of the clock, of those with room by that count, as LiteLLM's
 * usage-based routing does. Counted on success.
 */
export const leastUsedInMinute: MakeChooser = (providers) => {
  const used = new Map<string, Minute>()
  const usedBy = ({ name }: Provider, nowMs: number): Minute => {
    const minute = Math.floor(nowMs / minuteMs)
    const known = used.get(name)
    if (known?.minute === minute) return known
    const fresh = { minute, requests: 0, tokens: 0 }
    used.set(name, fresh)
    return fresh
  }
  return {
    order: ({ inputTokens, nowMs }) => {
      const hasRoom = (provider: Provider) => {
        const { requests, tokens } = usedBy(provider, nowMs)
        const { limits } = provider
        return requests + 1 <= (limits.requests ?? none) && tokens + inputTokens <= (limits.tokens ?? none)
      }
      return byLowest((provider) => usedBy(provider, nowMs).tokens)(providers.filter(hasRoom))
    },
    learn: ({ nowMs, provider, response }) => {
      const minute = usedBy(provider, nowMs)
      minute.requests++
      minute.tokens += (response.usage?.inputTokens ?? 0) + (response.usage?.outputTokens ?? 0)
    }
  }
}

/** Weight of the newest sample in a moving average. */
const alpha = 0.2

class Latencies {
  readonly #averages = new Map<string, number>()

  /** `prior`: what one that is not known yet starts from; without it, from its first answer. */
  constructor(readonly prior?: number) {}

  of({ name }: Provider): number {
    return this.#averages.get(name) ?? this.prior ?? 0
  }

  add({ name }: Provider, latencyMs: number): void {
    const before = this.#averages.get(name) ?? this.prior ?? latencyMs
    this.#averages.set(name, before * (1 - alpha) + latencyMs * alpha)
  }
}

/** The one with the lowest moving average; one that is not known yet goes first. */
export const lowestLatency: MakeChooser = (providers) => {
  const latencies = new Latencies()
  return {
    order: () => byLowest((provider) => latencies.of(provider))(providers),
    learn: ({ latencyMs, provider }) => latencies.add(provider, latencyMs)
  }
}

const normal = {
  lane: "normal",
  weights: { capacity: 0.5, latency: 0.3, static: 0.2 },
  latencyCeilingMs: 3_000
} as const

/** The router's own formula over exact windows, but what is used is known only once an answer has come. */
export const scoredAfterSuccess: MakeChooser = (providers) => {
  const latencies = new Latencies(500)
  const windows = new Map(providers.map(({ limits, name }) => [name, {
    requests: new RollingMeter(limits.requests ?? none, minuteMs),
    tokens: new RollingMeter(limits.tokens ?? none, minuteMs)
  }]))
  return {
    order: ({ inputTokens, nowMs }) => {
      const scores = new Map(providers.map((provider) => {
        const { requests, tokens } = windows.get(provider.name)!
        const headroom = Math.min(
          1 - (requests.used(nowMs) + 1) / requests.limit,
          1 - (tokens.used(nowMs) + inputTokens) / tokens.limit
        )
        const { name, weight } = provider
        const candidate = { name, weight, headroom, latencyMs: latencies.of(provider), inFlight: 0, share: 0 }
        return [name, headroom < 0 ? -1 : formula(candidate, normal)]
      }))
      return byLowest(({ name }) => -scores.get(name)!)(providers.filter(({ name }) => scores.get(name)! >= 0))
    },
    learn: ({ latencyMs, nowMs, provider, response }) => {
      const { requests, tokens } = windows.get(provider.name)!
      requests.add(nowMs, 1)
      tokens.add(nowMs, (response.usage?.inputTokens ?? 0) + (response.usage?.outputTokens ?? 0))
      latencies.add(provider, latencyMs)
    }
  }
}
