/**
 * What tests of a Redis that fails have in common: load, its figures, and a count of calls that is held against what
 * Redis knows in the end.
 */
import { Effect, Either, FiberSet } from "effect"
import { expect } from "vitest"
import type { Instance, Timed } from "./instances.ts"

const commandTimeoutMs = 100

/** Of the layer: quick to see that Redis is back. */
export const quick = { commandTimeout: commandTimeoutMs, heartbeat: 100, retryEvery: 50, leaseTtl: 2_000 }

export const isAnswered = ({ ended }: Timed): boolean => Either.isRight(ended)

export const failed = ({ seen }: Instance): Effect.Effect<void> => seen(({ _tag }) => _tag === "StateFailed")

export const recovered = ({ seen }: Instance): Effect.Effect<void> => seen(({ _tag }) => _tag === "StateRecovered")

/** One request after the other. */
export const chats = ({ chat }: Instance, count: number): Effect.Effect<ReadonlyArray<Timed>> =>
  Effect.replicateEffect(chat, count)

const requestsPerSecond = 100

/**
 * Requests at a steady rate for as long as something lasts, however long those before them take: how many are sent while
 * Redis hangs must not depend on how long they hang.
 */
export const during = (instance: Instance, lasts: Effect.Effect<void>): Effect.Effect<ReadonlyArray<Timed>> =>
  Effect.scoped(Effect.gen(function*() {
    const timed: Array<Timed> = []
    const requests = yield* FiberSet.make()
    const send = FiberSet.run(requests, Effect.map(instance.chat, (one) => void timed.push(one)))
    const arrivals = Effect.forever(Effect.zipRight(send, Effect.sleep(1_000 / requestsPerSecond)))
    yield* Effect.raceFirst(arrivals, lasts)
    yield* FiberSet.awaitEmpty(requests)
    return timed
  }))

const msAt = (share: number, timed: ReadonlyArray<Timed>): number =>
  timed.map(({ ms }) => ms).sort((a, b) => a - b)[Math.ceil(timed.length * share) - 1] ?? Number.NaN

/** What this machine may add to any time, being busy. */
const slackMs = 150

/**
 * What the outage added to the requests that were sent meanwhile is printed, and bounded: by the command timeout for all
 * but what the machine adds, and by next to nothing for most, since it is not every request that finds out anew.
 */
export const expectBounded = (
  what: string,
  before: ReadonlyArray<Timed>,
  meanwhile: ReadonlyArray<Timed>
): void => {
  const usual = msAt(0.5, before)
  const [p50 = Number.NaN, p99 = Number.NaN, most = Number.NaN] = [0.5, 0.99, 1].map((share) =>
    msAt(share, meanwhile) - usual
  )
  console.log(
    `${what}: ${meanwhile.length} requests took ${p50.toFixed(1)} ms more than usual at the median, `
      + `${p99.toFixed(1)} ms at the 99th percentile, ${
        most.toFixed(1)
      } ms at most; the command timeout is ${commandTimeoutMs} ms`
  )
  expect(p50).toBeLessThan(commandTimeoutMs / 4)
  expect(p99).toBeLessThan(commandTimeoutMs + slackMs)
  expect(most).toBeLessThan(2 * (commandTimeoutMs + slackMs))
  expect(meanwhile.filter((one) => !isAnswered(one))).toEqual([])
}

/**
 * Redis knows of every call there was, whoever made it and whoever had the word then, and of nothing else. The second
 * instance knows only what Redis has told it.
 */
export const expectCounted = (first: Instance, second: Instance, calls: () => number): Effect.Effect<void> =>
  Effect.gen(function*() {
    // On its connection, behind all that it had to tell.
    yield* first.router.status
    const { a } = yield* second.router.status
    expect(a).toMatchObject({ rpmUsed: calls(), tpmUsed: calls() * 15, inFlight: 0 })
  })
