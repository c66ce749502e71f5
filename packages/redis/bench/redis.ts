/**
 * What a decision costs that a fleet shares, beside a plain GET and the two usual ways to count in Redis, for 1 to 64
 * providers, all in one run on one server of its own:
 *
 * - µs of a round trip, one at a time, and its ratio to a GET's, each the median of several rounds;
 * - decisions a second at concurrency 64, each reserved and settled, from one process;
 * - µs of its core that Redis spends on a reservation, and on one that is settled too, at concurrency 64;
 * - memory a provider after 10,000 requests in the window.
 *
 * Numbers of providers may be given as arguments: `pnpm bench:redis 4`.
 */
import { countEverything, type Demand, type Reservation, RouterState, type RouterStateService } from "@route-llm/core"
import { RouterStateRedis } from "@route-llm/redis"
import { Context, Effect, identity, Layer, type Scope, Stream } from "effect"
import type { Redis } from "ioredis"
import { type RedisServer, redisServer } from "../test/rigs/redisServer.ts"
import { naive, sortedSets, type Variant } from "./variants.ts"

const rounds = 3
const sequential = 250
/** Rounds of these, beside as many of GETs. */
const pairs = 15
/** Before anything is timed: what runs for the first time is compiled first. */
const warmUp = 3_000
const concurrency = 64
const concurrent = 3_200
const inWindow = 10_000

interface Contender {
  readonly name: string
  readonly trips: string
  /** What a caller waits for; then what is left to do for it. */
  readonly reserve: Effect.Effect<Effect.Effect<unknown>>
  /** Waits until Redis has heard of all that was left to do. */
  readonly settled: Effect.Effect<unknown>
  /** Of its providers, without what all of them share. */
  readonly keys: Effect.Effect<ReadonlyArray<string>>
  readonly fill: Effect.Effect<void>
}

/** Each number of providers has keys of its own. */
const namespaceOf = (providers: number): string => `bench-${providers}`

const usage = { inputTokens: 500, outputTokens: 200 }

const demandOn = (count: number): Demand => ({
  providers: Array.from({ length: count }, (_, index) => ({
    name: `provider-${index}`,
    model: "model",
    limits: { requests: 1e9, tokens: 1e12 },
    weight: 1 + (index % 7) / 10,
    counting: countEverything
  })),
  lane: "normal",
  inputTokens: 500,
  tried: [],
  draw: 0.5,
  waitMs: 0,
  timeLeftMs: 60_000
})

const layerOn = (state: RouterStateService, client: Redis, providers: number): Contender => {
  const demand = demandOn(providers)
  const settled = (reservation: Reservation) => state.settle(reservation, { _tag: "Success", usage, latencyMs: 400 })
  const reserve = Effect.map(
    state.reserve(demand, identity),
    (decision) =>
      decision._tag === "Granted" ? settled(decision.reservation) : Effect.dieMessage(`${decision._tag}, not granted`)
  )
  return {
    name: "route-llm",
    trips: "1",
    reserve,
    settled: state.snapshot(demand.providers),
    keys: Effect.promise(() => client.keys(`route-llm:*{${namespaceOf(providers)}}*:provider:*`)),
    fill: Effect.forEach(Array.from({ length: inWindow }), () => Effect.flatten(reserve), {
      concurrency,
      discard: true
    })
  }
}

const contender = ({ decide, fill, keys, name, trips }: Variant): Contender => ({
  name,
  trips: String(trips),
  reserve: Effect.as(Effect.promise(() => decide(700)), Effect.void),
  settled: Effect.void,
  keys: Effect.promise(keys),
  fill: Effect.promise(() => fill(inWindow))
})

/** What is timed, and what is left to do after it. */
interface Round {
  readonly timed: Effect.Effect<void>
  readonly after: Effect.Effect<unknown>
}

const timedMs = ({ after, timed }: Round): Effect.Effect<number> =>
  Effect.suspend(() => {
    const startedMs = performance.now()
    return Effect.zipLeft(Effect.map(timed, () => performance.now() - startedMs), after)
  })

/** The best of several rounds: what the machine does meanwhile only ever adds. */
const bestMs = (round: Round): Effect.Effect<number> =>
  Effect.map(Effect.replicateEffect(timedMs(round), rounds), (times) => Math.min(...times))

const median = (values: ReadonlyArray<number>): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0

/** Reservations one at a time; what is left to do for them waits until the clock has stopped. */
const sequence = ({ reserve, settled }: Contender): Round => {
  const left: Array<Effect.Effect<unknown>> = []
  return {
    timed: Effect.repeatN(Effect.map(reserve, (rest) => void left.push(rest)), sequential - 1),
    after: Effect.suspend(() => Effect.zipRight(Effect.all(left.splice(0), { discard: true }), settled))
  }
}

/** Each turn about, so that both meet the same machine. Not the best: now and then a GET meets a machine wide awake. */
const roundTrips = (
  client: Redis,
  contender: Contender
): Effect.Effect<{ readonly us: number; readonly ratio: number }> => {
  const gets: Round = {
    timed: Effect.asVoid(Effect.repeatN(Effect.promise(() => client.get("key")), sequential - 1)),
    after: Effect.void
  }
  const pair = Effect.all([timedMs(gets), timedMs(sequence(contender))])
  return Effect.map(Effect.replicateEffect(pair, pairs), (all) => ({
    us: median(all.map(([, ms]) => ms)) * 1_000 / sequential,
    ratio: median(all.map(([get, ms]) => ms / get))
  }))
}

/** By many at a time; each is settled. */
const crowd = ({ reserve, settled }: Contender): Round => {
  const one = Effect.repeatN(Effect.flatten(reserve), concurrent / concurrency - 1)
  const all = Effect.all(Array.from({ length: concurrency }, () => one), { concurrency: "unbounded", discard: true })
  return { timed: Effect.zipRight(all, settled), after: Effect.void }
}

/** Redis' own time on its core, in µs, which what else runs on the machine does not add to. */
const coreUs = (client: Redis): Effect.Effect<number> =>
  Effect.map(
    Effect.promise(() => client.info("cpu")),
    (info) => [...info.matchAll(/used_cpu_(?:sys|user):([\d.]+)/g)].reduce((sum, [, s]) => sum + Number(s) * 1e6, 0)
  )

const onCoreUs = (client: Redis, { after, timed }: Round, decisions: number): Effect.Effect<number> =>
  Effect.gen(function*() {
    const before = yield* coreUs(client)
    yield* timed
    const us = (yield* coreUs(client)) - before
    yield* after
    return us / decisions
  })

const bytesOf = (client: Redis, { keys }: Contender): Effect.Effect<number> =>
  Effect.gen(function*() {
    let bytes = 0
    for (const key of yield* keys) bytes += (yield* Effect.promise(() => client.memory("USAGE", key))) ?? 0
    return bytes
  })

interface Row {
  readonly providers: number
  readonly name: string
  readonly trips: string
  readonly us: number
  readonly ratio: number
  readonly perSecond: number
  /** Of Redis' core: of a reservation, and of one with its settlement among many. */
  readonly reserveUs: number
  readonly decisionUs: number
  readonly bytes: number
}

const columns: ReadonlyArray<readonly [title: string, cell: (row: Row) => string]> = [
  ["providers", ({ providers }) => String(providers)],
  ["how", ({ name }) => name],
  ["round trips", ({ trips }) => trips],
  ["µs", ({ us }) => us.toFixed(0)],
  ["÷ GET", ({ ratio }) => ratio.toFixed(2)],
  ["decisions a second", ({ perSecond }) => perSecond.toFixed(0)],
  ["µs of Redis' core", ({ reserveUs }) => reserveUs.toFixed(1)],
  ["settled among many", ({ decisionUs }) => decisionUs.toFixed(1)],
  ["bytes a provider", ({ bytes }) => bytes.toFixed(0)]
]

const line = (cellOf: (column: typeof columns[number]) => string): void =>
  console.log(columns.map((column) => cellOf(column).padStart(Math.max(9, column[0].length))).join("  "))

const measure = (server: RedisServer, providers: number): Effect.Effect<ReadonlyArray<Row>, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { client, url } = server
    // So patient that it never goes on by itself: that would be quick, and say nothing.
    const options = {
      url,
      namespace: namespaceOf(providers),
      commandTimeout: "1 minute",
      leaseTtl: "1 minute"
    } as const
    const context = yield* Layer.build(Layer.orDie(RouterStateRedis.layer(options)))
    const state = Context.get(context, RouterState)
    let isAway = false
    yield* Effect.forkScoped(
      Stream.runForEach(state.changes, ({ _tag }) => Effect.sync(() => void (isAway ||= _tag === "StateFailed")))
    )
    const rows: Array<Row> = []
    for (
      const each of [
        layerOn(state, client, providers),
        contender(yield* Effect.promise(() => sortedSets(client, providers))),
        contender(naive(client, providers))
      ]
    ) {
      yield* Effect.repeatN(Effect.flatten(each.reserve), warmUp)
      const { ratio, us } = yield* roundTrips(client, each)
      const crowdMs = yield* bestMs(crowd(each))
      const reserveUs = yield* onCoreUs(client, sequence(each), sequential)
      const decisionUs = yield* onCoreUs(client, crowd(each), concurrent)
      yield* each.fill
      if (isAway) return yield* Effect.dieMessage("the layer has gone on without Redis: no figure counts")
      const bytes = (yield* bytesOf(client, each)) / providers
      const { name, trips } = each
      const perSecond = concurrent / crowdMs * 1_000
      const row: Row = { providers, name, trips, us, ratio, perSecond, reserveUs, decisionUs, bytes }
      line(([, cell]) => cell(row))
      rows.push(row)
    }
    return rows
  })

/** On the command line, in place of all. */
const asked = process.argv.slice(2).map(Number)

const program = Effect.gen(function*() {
  const server = yield* redisServer()
  line(([title]) => title)
  const rows = yield* Effect.forEach(
    asked.length > 0 ? asked : [1, 4, 16, 64],
    (providers) => Effect.scoped(measure(server, providers))
  )
  const four = rows.flat().find(({ name, providers }) => name === "route-llm" && providers === 4)
  if (four === undefined) return
  console.log("\nwith four providers, against the budgets:")
  console.log(`reserve ÷ GET       ${four.ratio.toFixed(2)} (at most 2.5)`)
  console.log(`KiB a provider      ${(four.bytes / 1_024).toFixed(2)} (at most 4)`)
  console.log(
    `decisions a second  ${(1e6 / four.decisionUs).toFixed(0)} by Redis' core alone (at least 35,000); `
      + `${four.perSecond.toFixed(0)} by one process and Redis on this machine, busy as it is`
  )
})

Effect.runPromise(Effect.scoped(program))
