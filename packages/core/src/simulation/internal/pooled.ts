/**
 * The yardstick: one imaginary vendor with the limits of all added up, and a line before it that knows the true size of
 * each request and answer. It loses no room by its choice of vendor, by rounding or by a wrong estimate; what it serves
 * is what the limits allow to whoever takes each request as it comes.
 */
import { Deferred, Effect, FiberHandle, Schema, Struct } from "effect"
import type { ChatRequest } from "../../ChatRequest.ts"
import { monotonicMs } from "../../internal/clock.ts"
import type { Dimension } from "../../RateLimit.ts"
import { sizeOf } from "../SimulatedRequest.ts"
import type { Outcome, Strategy } from "../Strategy.ts"
import { LatencyModel, usualLatency, type VendorModel, type VendorModelInput } from "../VendorModel.ts"
import { type Amounts, type Gate, gatesOf, takes } from "./VendorLimits.ts"

const sum = (values: ReadonlyArray<number>): number => values.reduce((total, value) => total + value, 0)

/** A limit that one of them has not is none of the pool's. */
const pooledLimits = (vendors: ReadonlyArray<VendorModelInput>): NonNullable<VendorModelInput["limits"]> => {
  const names: ReadonlyArray<Dimension> = [...Struct.keys(takes), "concurrent"]
  return Object.fromEntries(names.flatMap((name): ReadonlyArray<[string, number]> => {
    const limits = vendors.flatMap(({ limits }) => limits?.[name] ?? [])
    return limits.length === vendors.length ? [[name, sum(limits)]] : []
  }))
}

/** Their mean, by the tokens that each may answer. */
const pooledLatency = (vendors: ReadonlyArray<VendorModelInput>): LatencyModel => {
  const models = vendors.map(({ latency }) => Schema.decodeSync(LatencyModel)(latency ?? usualLatency))
  const weights = vendors.map(({ limits }) => limits?.tokens ?? 1)
  const mean = (field: (model: LatencyModel) => number) =>
    sum(models.map((model, index) => field(model) * weights[index]!)) / sum(weights)
  return {
    firstTokenMs: mean(({ firstTokenMs }) => firstTokenMs),
    perTokenMs: mean(({ perTokenMs }) => perTokenMs),
    sigma: mean(({ sigma }) => sigma),
    tail: { share: mean(({ tail }) => tail.share), factor: mean(({ tail }) => tail.factor) }
  }
}

/** Where the vendors differ, the pool has what lets more through. */
const pool = (vendors: ReadonlyArray<VendorModelInput>): VendorModelInput => ({
  name: "pool",
  limits: pooledLimits(vendors),
  latency: pooledLatency(vendors),
  window: vendors[0]?.window,
  transit: { min: 0, max: 0 },
  counting: { chargesMaxTokens: vendors.every(({ counting }) => counting?.chargesMaxTokens === true) },
  enforcement: vendors.some(({ enforcement }) => enforcement === "bucket") ? "bucket" : "rolling"
})

/** `atEnd`: the output that counts when the answer ends; what counts on arrival is in `arrival`. */
interface Size {
  readonly arrival: Amounts
  readonly atEnd: number
}

interface Waiter {
  readonly size: Size
  readonly dueMs: number
  readonly resume: (served: boolean) => void
}

/** First come, first served of those that fit. */
class PooledLine {
  readonly #gates: ReadonlyArray<Gate>
  readonly #concurrent: number
  readonly #chargesMaxTokens: boolean
  #waiting: ReadonlyArray<Waiter> = []
  /** Of the answers under way: there must be room for it when they end. */
  #output = 0
  #underWay = 0

  constructor(model: VendorModel) {
    this.#gates = gatesOf(model)
    this.#concurrent = model.limits.concurrent ?? Number.POSITIVE_INFINITY
    this.#chargesMaxTokens = model.counting.chargesMaxTokens
  }

  sizeOf(request: ChatRequest): Size {
    const { inputTokens, outputTokens } = sizeOf(request)
    const charged = this.#chargesMaxTokens ? request.maxTokens : undefined
    return {
      arrival: { requests: 1, input: inputTokens, output: charged ?? 0 },
      atEnd: charged === undefined ? outputTokens : 0
    }
  }

  enter(waiter: Waiter): void {
    this.#waiting = [...this.#waiting, waiter]
  }

  end(nowMs: number, { atEnd }: Size): void {
    this.#underWay--
    this.#output -= atEnd
    this.#add(nowMs, { requests: 0, input: 0, output: atEnd })
  }

  /** Lets go whoever fits now, and whose time is up. */
  serve(nowMs: number): void {
    this.#waiting = this.#waiting.filter(({ dueMs, resume, size }) => {
      const fits = this.#waitMs(nowMs, size) === 0
      if (!fits && nowMs < dueMs) return true
      if (fits) {
        this.#underWay++
        this.#output += size.atEnd
        this.#add(nowMs, size.arrival)
      }
      resume(fits)
      return false
    })
  }

  /** How long until time alone lets somebody go; `Infinity` where nobody waits. */
  nextInMs(nowMs: number): number {
    return this.#waiting.reduce(
      (next, { dueMs, size }) => Math.min(next, dueMs - nowMs, this.#waitMs(nowMs, size)),
      Number.POSITIVE_INFINITY
    )
  }

  #waitMs(nowMs: number, { arrival, atEnd }: Size): number {
    if (this.#underWay >= this.#concurrent) return Number.POSITIVE_INFINITY
    const output = arrival.output + atEnd + this.#output
    return this.#gates.reduce(
      (longest, { dimension, meter }) =>
        Math.max(longest, meter.waitMs(nowMs, takes[dimension]({ ...arrival, output }))),
      0
    )
  }

  #add(nowMs: number, amounts: Amounts): void {
    for (const { dimension, meter } of this.#gates) {
      const amount = takes[dimension](amounts)
      if (amount > 0) meter.add(nowMs, amount)
    }
  }
}

/** A moment later than which there is certainly room, where rounding has left the last bit of it. */
const tickMs = 1e-3

export const pooled = (name: string): Strategy => ({
  name,
  vendors: (vendors) => [pool(vendors)],
  start: ({ maxWaitMs, models, providers }) =>
    Effect.gen(function*() {
      const line = new PooledLine(models[0]!)
      const provider = providers[0]!
      const clock = yield* Effect.clock
      const alarm = yield* FiberHandle.make<void>()

      /** Whatever happens, the line is served after it, and looked at again when time has something for it. */
      const step = (change: (nowMs: number) => void): Effect.Effect<void> =>
        Effect.suspend(() => {
          const nowMs = monotonicMs(clock)
          change(nowMs)
          line.serve(nowMs)
          const nextMs = line.nextInMs(nowMs)
          if (nextMs === Number.POSITIVE_INFINITY) return FiberHandle.clear(alarm)
          const later = Effect.zipRight(Effect.sleep(nextMs + tickMs), step(() => {}))
          return Effect.asVoid(FiberHandle.run(alarm, later))
        })

      const send = (request: ChatRequest): Effect.Effect<Outcome> =>
        Effect.gen(function*() {
          const size = line.sizeOf(request)
          const turn = yield* Deferred.make<boolean>()
          yield* step((nowMs) =>
            line.enter({
              size,
              dueMs: nowMs + maxWaitMs,
              resume: (served) => Deferred.unsafeDone(turn, Effect.succeed(served))
            })
          )
          if (!(yield* Deferred.await(turn))) return { _tag: "Refused", reason: "NoCapacity" }
          const startedMs = monotonicMs(clock)
          const answer = yield* Effect.either(provider.chat(request))
          yield* step((nowMs) => line.end(nowMs, size))
          return answer._tag === "Right"
            ? { _tag: "Served", callMs: monotonicMs(clock) - startedMs }
            : { _tag: "Refused", reason: answer.left.class }
        })

      return { send }
    })
})
