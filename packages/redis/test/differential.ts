/**
 * Random sequences of everything a state is asked, on a clock in the test's hand.
 */
import type {
  Demand,
  FailureClass,
  ForcedCircuit,
  LimitReading,
  ProviderSpec,
  RouterOptionsInput,
  Settlement,
  Usage
} from "@route-llm/core"
import { consequences, countEverything } from "@route-llm/core"
import { Clock, Effect } from "effect"

/** Mulberry32: a seed is a sequence. */
const random = (seed: number): () => number => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A clock that stands still until it is moved. */
export const handClock = (startMs: number) => {
  let nowMs = startMs
  const live = Clock.make()
  const clock: Clock.Clock = {
    ...live,
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: () => nowMs,
    unsafeCurrentTimeNanos: () => BigInt(Math.round(nowMs * 1e6)),
    currentTimeMillis: Effect.sync(() => nowMs),
    currentTimeNanos: Effect.sync(() => BigInt(Math.round(nowMs * 1e6))),
    sleep: (duration) => live.sleep(duration)
  }
  return { clock, move: (byMs: number) => void (nowMs += byMs), now: () => nowMs }
}

export type Operation =
  | { readonly _tag: "Reserve"; readonly demand: Omit<Demand, "providers"> }
  /** All in one step: they go to Redis in one call. */
  | { readonly _tag: "Crowd"; readonly demands: ReadonlyArray<Omit<Demand, "providers">> }
  /** Of those that are open: which, by its share of the list. */
  | { readonly _tag: "Settle"; readonly which: number; readonly settlement: Settlement }
  | { readonly _tag: "Force"; readonly name: string; readonly circuit: ForcedCircuit }
  | { readonly _tag: "Explain"; readonly demand: Omit<Demand, "providers"> }
  | { readonly _tag: "Snapshot" }
  | { readonly _tag: "Move"; readonly byMs: number }

const classes = Object.keys(consequences) as Array<FailureClass> // its keys

/** What a world is like, beside what is drawn: how often vendors limit, tell, and break, and what is asked of them. */
interface Climate {
  readonly limited: number
  readonly tells: number
  readonly succeeds: number
  /** Of failures: those for the rate, and those that set a provider aside by a guess. */
  readonly rated: number
  readonly spent: number
  readonly sessions: number
  readonly tried: number
  readonly largest: number
  /** The share of moves that are long. */
  readonly leaps: number
  /** How often somebody moves a circuit by hand. */
  readonly forced: number
  /** Calls under way at most, where a vendor limits them. */
  readonly concurrent: number
  /** The longest that a call takes, in ms. */
  readonly slowest: number
}

const wild: Climate = {
  limited: 1,
  tells: 0.35,
  succeeds: 0.6,
  rated: 0.3,
  spent: 0.05,
  sessions: 0.3,
  tried: 0.08,
  largest: 20_000,
  leaps: 1,
  forced: 0.01,
  concurrent: 5,
  slowest: 20_000
}

const climates: ReadonlyArray<Climate> = [
  wild,
  // Much traffic on vendors without limits that say nothing.
  {
    ...wild,
    limited: 0.15,
    tells: 0.02,
    succeeds: 0.8,
    rated: 0.8,
    spent: 0,
    sessions: 0.8,
    tried: 0.3,
    largest: 300,
    leaps: 0.1
  },
  // Vendors that break all the time.
  { ...wild, limited: 0.1, tells: 0, succeeds: 0.35, rated: 0, spent: 0.15, sessions: 0, largest: 300, leaps: 0.3 },
  // Circuits that are opened and recover.
  {
    ...wild,
    limited: 0,
    tells: 0,
    succeeds: 0.7,
    rated: 0,
    spent: 0,
    sessions: 0,
    largest: 300,
    leaps: 0.05,
    forced: 0.08
  },
  // All of them spent at one moment.
  {
    ...wild,
    limited: 0,
    tells: 0,
    succeeds: 0.2,
    rated: 0,
    spent: 0.9,
    sessions: 0,
    tried: 0.3,
    largest: 300,
    leaps: 0.02
  },
  // Slow vendors that tell now and then what is left of a key that others use too.
  { ...wild, limited: 0.6, tells: 0.5, succeeds: 0.7, rated: 0.5, spent: 0, leaps: 0.05, slowest: 120_000 },
  // Vendors that hang.
  { ...wild, limited: 0, tells: 0, succeeds: 0.4, rated: 0, spent: 0, largest: 300, leaps: 0.05, slowest: 240_000 },
  // Few calls at a time, one by one.
  { ...wild, limited: 3, tells: 0.2, succeeds: 0.8, largest: 300, leaps: 0.1, concurrent: 1 }
]

/** One seed's world: providers, options, and how its operations are drawn. */
export const world = (
  seed: number
): {
  readonly providers: ReadonlyArray<ProviderSpec>
  readonly settings: RouterOptionsInput
  readonly operation: () => Operation
} => {
  const draw = random(seed)
  const climate = climates[seed % climates.length]!
  const chance = (p: number) => draw() < p
  const int = (below: number) => Math.floor(draw() * below)
  const pick = <A>(items: ReadonlyArray<A>): A => items[int(items.length)]!
  const maybe = <A>(p: number, make: () => A): A | undefined => chance(p) ? make() : undefined

  const names = ["a", "b", "c", "d"].slice(0, 1 + int(4))
  const providers: ReadonlyArray<ProviderSpec> = names.map((name) => ({
    name,
    model: "m",
    weight: pick([0, 1, 1, 2]),
    limits: {
      requests: maybe(0.7 * climate.limited, () => 2 + int(30)),
      tokens: maybe(0.7 * climate.limited, () => 1_000 + int(40_000)),
      inputTokens: maybe(0.2 * climate.limited, () => 1_000 + int(20_000)),
      outputTokens: maybe(0.2 * climate.limited, () => 1_000 + int(20_000)),
      requestsPerDay: maybe(0.2 * climate.limited, () => 20 + int(400)),
      tokensPerDay: maybe(0.2 * climate.limited, () => 10_000 + int(400_000)),
      concurrent: maybe(0.2 * climate.limited, () => 1 + int(climate.concurrent))
    },
    counting: chance(0.5) ? countEverything : { chargesMaxTokens: chance(0.5), cacheRead: draw(), cacheWrite: draw() }
  }))
  const settings: RouterOptionsInput = {
    window: pick([60_000, 60_000, 10_000, 7_001]),
    buckets: pick([60, 60, 20, 7]),
    transit: pick([0, 500, 2_000]),
    highPriorityReservePct: pick([0, 0, 20]),
    policy: pick(["formula", "fit"] as const),
    lookAhead: pick([0, 120_000]),
    breaker: {
      failureThreshold: pick([1, 1, 3, 5]),
      cooldown: pick([1_000, 30_000]),
      maxCooldown: pick([5_000, 300_000]),
      minimumCalls: pick([3, 20]),
      ramp: pick([0, 5_000, 30_000, 30_000]),
      lastResort: pick([0.5, 1_000, 1_000, Infinity])
    },
    affinity: { ttl: pick([5_000, 3_600_000]) }
  }

  const reading = (): LimitReading => {
    const dimensions = ["requests", "tokens", "inputTokens", "outputTokens", "requestsPerDay", "tokensPerDay"] as const
    const dimension = pick(dimensions)
    const few = dimension.startsWith("requests") || chance(0.2)
    return {
      dimension,
      limit: maybe(0.7, () => pick([0, few ? 5 + int(40) : 2_000 + int(50_000)])),
      remaining: maybe(0.7, () => pick([0, 0, int(30), int(30_000)])),
      resetMs: maybe(0.7, () => pick([0, int(1_000), int(60_000), int(86_400_000)]))
    }
  }
  const readings = () => maybe(climate.tells, () => Array.from({ length: 1 + int(3) }, reading))
  const usage = (): Usage => ({
    inputTokens: pick([int(200), int(3_000), int(3_000) + draw(), -1]),
    outputTokens: pick([int(200), int(2_000), Number.NaN]),
    ...(chance(0.2) ? { cachedInputTokens: int(100), cacheWriteTokens: int(100) } : {})
  })
  const latencyMs = () => pick([int(climate.slowest / 60), int(climate.slowest / 6), int(climate.slowest)])

  const settlement = (): Settlement => {
    const kind = draw()
    if (kind < 0.06) return { _tag: "Unused" }
    const common = {
      usage: maybe(0.8, usage),
      latencyMs: latencyMs(),
      firstTokenMs: maybe(0.2, latencyMs),
      limits: readings()
    }
    if (kind < 0.06 + climate.succeeds) return { _tag: "Success", ...common }
    return {
      _tag: "Failure",
      class: chance(climate.rated)
        ? "rate_limit"
        : chance(climate.spent)
        ? pick(["quota", "credential"])
        : chance(0.6)
        ? pick(["timeout", "transient", "overloaded"])
        : pick(classes),
      status: maybe(0.5, () => pick([429, 500, 503])),
      retryAfterMs: maybe(0.3, () => pick([0, int(2_000), int(60_000), Infinity])),
      ...common
    }
  }

  const demand = (): Omit<Demand, "providers"> => ({
    lane: pick(["high", "normal", "normal", "low"] as const),
    inputTokens: pick([int(50), int(climate.largest / 10), int(climate.largest)]),
    maxTokens: maybe(0.5, () => int(3_000)),
    sessionId: maybe(climate.sessions, () => `s${int(3)}`),
    forceProvider: maybe(0.05, () => pick(names)),
    tried: names.filter(() => chance(climate.tried)),
    draw: draw(),
    waitMs: 0,
    timeLeftMs: 60_000,
    streams: maybe(0.3, () => true),
    lastResort: maybe(0.2, () => chance(0.5))
  })

  /** Of every other world. Whom the later ones ask first depends on what the earlier ones are given, so each has one. */
  const crowd = () => Array.from({ length: 2 + int(6) }, () => ({ ...demand(), tried: [], forceProvider: pick(names) }))

  const move = (): number => {
    const kind = chance(climate.leaps) ? draw() : draw() * 0.75
    if (kind < 0.5) return int(200)
    if (kind < 0.75) return draw() * 2_000
    if (kind < 0.9) return int(20_000)
    if (kind < 0.94) return int(200_000)
    if (kind < 0.95) return int(200_000_000)
    return -int(30_000)
  }

  const operation = (): Operation => {
    const kind = draw()
    if (kind < 0.1 && seed % 2 === 1) return { _tag: "Crowd", demands: crowd() }
    if (kind < 0.34) return { _tag: "Reserve", demand: demand() }
    if (kind < 0.64) return { _tag: "Settle", which: draw(), settlement: settlement() }
    if (kind < 0.64 + climate.forced) {
      const circuit: ForcedCircuit = chance(0.5)
        ? { _tag: "Open", forMs: pick([0, 0, 1_000, 60_000, Infinity]) }
        : { _tag: "Closed" }
      return { _tag: "Force", name: pick([...names, "nobody"]), circuit }
    }
    if (kind < 0.72) return { _tag: "Snapshot" }
    return kind < 0.75 ? { _tag: "Explain", demand: demand() } : { _tag: "Move", byMs: move() }
  }

  return { providers, settings, operation }
}
