/**
 * The same operations at the same moments, on the ledger in memory and on the scripts in a real Redis: equal grants,
 * refusals, figures and changes. Whatever the scripts do otherwise than core's kernel shows here.
 *
 * `DIFFERENTIAL_SEED=n` runs one seed, `DIFFERENTIAL_SEEDS=n` as many.
 */
import {
  type Decision,
  type Reservation,
  RouterOptions,
  RouterState,
  type RouterStateService,
  type StateChange
} from "@route-llm/core"
import { Cause, Context, Effect, Exit, Layer, Stream } from "effect"
import { Cluster, Redis } from "ioredis"
import { describe, expect, it } from "vitest"
import { makeOverClient } from "../src/internal/makeOverClient.ts"
import { handClock, type Operation, world } from "./differential.ts"
import { redisCluster } from "./rigs/cluster.ts"
import { anyRedis } from "./rigs/redisServer.ts"
import { skips, suiteRig } from "./rigs/suite.ts"

const operations = 250
const only = process.env.DIFFERENTIAL_SEED
const seeds = only === undefined
  ? Array.from({ length: Number(process.env.DIFFERENTIAL_SEEDS ?? 40) }, (_, index) => index + 1)
  : [Number(only)]

/** Lua and JavaScript may round a power or a root differently in the last place. */
const nearly = (actual: unknown, expected: unknown, path: string): void => {
  if (typeof actual === "number" && typeof expected === "number") {
    if (Object.is(actual, expected) || actual === expected) return
    const off = Math.abs(actual - expected)
    if (off <= 1e-6 * Math.max(1, Math.abs(expected))) return
  } else if (typeof actual === "object" && typeof expected === "object" && actual !== null && expected !== null) {
    for (const key of new Set([...Object.keys(actual), ...Object.keys(expected)])) {
      nearly(Reflect.get(actual, key), Reflect.get(expected, key), `${path}.${key}`)
    }
    return
  } else if (actual === expected) return
  throw new Error(`${path}: Redis says ${String(actual)}, memory ${String(expected)}`)
}

interface Side {
  readonly state: RouterStateService
  readonly changes: Array<StateChange>
}

const side = (layer: Layer.Layer<RouterState>) =>
  Effect.gen(function*() {
    const state = Context.get(yield* Layer.build(layer), RouterState)
    const changes: Array<StateChange> = []
    yield* state.changes.pipe(
      Stream.runForEach((change) => Effect.sync(() => void changes.push(change))),
      Effect.forkScoped
    )
    yield* Effect.yieldNow()
    return { state, changes }
  })

/** One seed's sequence on both. Answers how often each kind of answer came. */
const compare = (seed: number, connect: () => Redis | Cluster) =>
  Effect.gen(function*() {
    const { operation, providers, settings } = world(seed)
    const clock = handClock(1_000_000 + seed)
    const counts = new Map<string, number>()
    const count = (what: string) => counts.set(what, (counts.get(what) ?? 0) + 1)
    const client = yield* Effect.acquireRelease(
      Effect.sync(connect),
      (client) => Effect.sync(() => client.disconnect())
    )
    const options = {
      namespace: `differential-${seed}`,
      buckets: settings.buckets ?? 60,
      heartbeat: "1 hour",
      leaseTtl: "2 hours",
      commandTimeout: "20 seconds"
    } as const
    const OverRedis = Layer.scoped(RouterState, Effect.orDie(makeOverClient(client, options, "caller")))
    const Options = Layer.orDie(RouterOptions.layer(settings))

    const body = Effect.gen(function*() {
      const memory: Side = yield* side(Layer.provide(RouterState.layerMemory, Options))
      const redis: Side = yield* side(Layer.provide(OverRedis, Options))
      const open: Array<{ readonly memory: Reservation; readonly redis: Reservation }> = []

      const reserved = (one: Decision, other: Decision, path: string) => {
        nearly(plain(other), plain(one), path)
        if (one._tag === "Granted" && other._tag === "Granted") {
          open.push({ memory: one.reservation, redis: other.reservation })
        }
        count(one._tag === "Refused" ? one.refusals[0]?.reason ?? "Refused" : one._tag)
        if (one._tag === "Granted" && one.reservation.lastResort === true) {
          count("last resort")
        }
      }

      const compared = (path: string) =>
        Effect.gen(function*() {
          const one = yield* memory.state.snapshot(providers)
          nearly(yield* redis.state.snapshot(providers), one, path)
        })

      const apply = (operation: Operation, path: string): Effect.Effect<void> =>
        Effect.gen(function*() {
          switch (operation._tag) {
            case "Move":
              // How far back a clock has gone is known only to who has seen the moments before and after: both have.
              if (operation.byMs < 0) {
                yield* compared(path)
              }
              clock.move(operation.byMs)
              return operation.byMs < 0 ? yield* compared(path) : undefined
            case "Reserve": {
              const demand = { ...operation.demand, providers }
              const one = yield* memory.state.reserve(demand, (effect) => effect)
              return reserved(one, yield* redis.state.reserve(demand, (effect) => effect), path)
            }
            case "Crowd": {
              const demands = operation.demands.map((demand) => ({ ...demand, providers }))
              const ones = yield* Effect.forEach(demands, (demand) => memory.state.reserve(demand, (effect) => effect))
              const others = yield* Effect.forEach(
                demands,
                (demand) => redis.state.reserve(demand, (effect) => effect),
                {
                  concurrency: "unbounded"
                }
              )
              count("crowd")
              for (const [index, one] of ones.entries()) {
                const other = others[index]!
                // Why it was refused is said as things stand after all of them.
                if (one._tag === "Refused" && other._tag === "Refused") count("refused in a crowd")
                else reserved(one, other, `${path}, ${index}`)
              }
              return
            }
            case "Settle": {
              const [pair] = open.splice(Math.floor(operation.which * open.length), 1)
              if (pair === undefined) return
              const one = yield* memory.state.settle(pair.memory, operation.settlement)
              const other = yield* redis.state.settle(pair.redis, operation.settlement)
              nearly(other, one, path)
              if ((yield* redis.state.settle(pair.redis, operation.settlement)) !== undefined) throw new Error("twice")
              // It is sent at this moment, and not waited for.
              yield* Effect.promise(() => Promise.resolve())
              return
            }
            case "Force": {
              const one = yield* memory.state.force(providers, operation.name, operation.circuit)
              return nearly(yield* redis.state.force(providers, operation.name, operation.circuit), one, path)
            }
            case "Explain": {
              // Whom a session prefers is known here only of this instance's own requests.
              const demand = { ...operation.demand, sessionId: undefined, providers }
              const one = yield* memory.state.explain(demand)
              count(`explained: ${one.reason ?? "refused"}`)
              return nearly(yield* redis.state.explain(demand), one, path)
            }
            case "Snapshot":
              return yield* compared(path)
          }
        })

      for (let step = 0; step < operations; step++) {
        const next = operation()
        const path = `seed ${seed}, step ${step}, ${JSON.stringify(next)}`
        yield* apply(next, path)
        if (step % 10 === 9) yield* compared(`${path}, then a snapshot`)
      }
      yield* compared(`seed ${seed}, at the end`)
      yield* Effect.yieldNow()
      nearly(redis.changes, memory.changes, `seed ${seed}: changes`)
      for (const { _tag } of memory.changes) count(_tag)
    })
    yield* Effect.withClock(body, clock.clock)
    return counts
  }).pipe(Effect.scoped)

/** What both say of a decision; whose places in the vendor's count are sent along is not compared where nobody told one. */
const plain = (decision: Decision): unknown =>
  decision._tag === "Granted"
    ? { ...decision, reservation: { ...decision.reservation, countable: decision.reservation.countable?.slice(0, 6) } }
    : decision

/** All of these seeds. Answers how often each kind of answer came. */
const compareAll = async (
  seeds: ReadonlyArray<number>,
  connect: () => Redis | Cluster
): Promise<ReadonlyMap<string, number>> => {
  const totals = new Map<string, number>()
  for (const seed of seeds) {
    const exit = await Effect.runPromiseExit(compare(seed, connect))
    if (Exit.isFailure(exit)) throw new Error(`DIFFERENTIAL_SEED=${seed}: ${Cause.pretty(exit.cause)}`)
    for (const [what, times] of exit.value) totals.set(what, (totals.get(what) ?? 0) + times)
  }
  console.log(
    `differential, seeds ${seeds[0]} to ${seeds.at(-1)}: ${[...totals].map((total) => total.join(" ")).join(", ")}`
  )
  return totals
}

describe.skipIf(skips("any"))("memory and Redis", () => {
  const rig = suiteRig(anyRedis, ({ flush }) => flush)

  it(`answer the same, ${seeds.length} seeds of ${operations} operations`, async () => {
    const totals = await compareAll(seeds, () => new Redis(rig().url))
    if (only !== undefined) return
    const rare = ["probing", "ramping", "last resort"]
    const common = [
      "Granted",
      "full",
      "too_large",
      "benched",
      "circuit_open",
      "CircuitMoved",
      "Benched",
      "LimitLearned"
    ]
    expect(rare.filter((what) => (totals.get(what) ?? 0) < 2)).toEqual([])
    expect(common.filter((what) => (totals.get(what) ?? 0) < 20)).toEqual([])
  }, 300_000)
})

describe.skipIf(skips("own"))("memory and a Cluster of three masters", () => {
  const rig = suiteRig(redisCluster, ({ flush }) => flush)

  it("answer the same", async () => {
    const some = seeds.slice(0, 6)
    const totals = await compareAll(some, () => new Cluster([...rig().startupNodes]))
    expect(totals.get("Granted")).toBeGreaterThan(some.length)
  }, 300_000)
})
