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

/** Where only a Redis that is gone is to be late: a busy machine may take long for an answer. */
export const patient = { ...quick, commandTimeout: 2_000 }

export const isAnswered = ({ ended }: Timed): boolean => Either.isRight(ended)

export const failed = ({ seen }: Instance): Effect.Effect<void> => seen(({ _tag }) => _tag === "StateFailed")

export const recovered = ({ seen }: Instance): Effect.Effect<void> => seen(({ _tag }) => _tag === "StateRecovered")

/** One request after the other. */
export const chats = ({ chat }: Instance, count: number): Effect.Effect<ReadonlyArray<Timed>> =>
  Effect.replicateEffect(chat, count)

const requestsPerSecond = 100

const tickMs = 5

interface Span {
  readonly fromMs: number
  readonly untilMs: number
}

/** When this process was not let run, from now on: a machine that is busy with others' work is nobody's fault here. */
const watchStalls = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => {
      const stalls: Array<Span> = []
      let lastMs = performance.now()
      const timer = setInterval(() => {
        const nowMs = performance.now()
        if (nowMs - lastMs > 2 * tickMs) stalls.push({ fromMs: lastMs + tickMs, untilMs: nowMs })
        lastMs = nowMs
      }, tickMs)
      return { stalls, timer }
    }),
    ({ timer }) => Effect.sync(() => clearInterval(timer))
  ),
  ({ stalls }): ReadonlyArray<Span> => stalls
)

const withoutStalls = (stalls: ReadonlyArray<Span>, { startedMs, ...timed }: Timed): Timed => {
  const endedMs = startedMs + timed.ms
  const stalledMs = stalls.reduce(
    (sum, { fromMs, untilMs }) => sum + Math.max(0, Math.min(untilMs, endedMs) - Math.max(fromMs, startedMs)),
    0
  )
  return { ...timed, startedMs, ms: timed.ms - stalledMs }
}

/**
 * Requests at a steady rate for as long as something lasts, however long those before them take: how many are sent while
 * Redis hangs must not depend on how long they hang. Their times are without those in which this process did not run.
 */
export const during = (instance: Instance, lasts: Effect.Effect<void>): Effect.Effect<ReadonlyArray<Timed>> =>
  Effect.scoped(Effect.gen(function*() {
    const timed: Array<Timed> = []
    const stalls = yield* watchStalls
    const requests = yield* FiberSet.make()
    const send = FiberSet.run(requests, Effect.map(instance.chat, (one) => void timed.push(one)))
    const arrivals = Effect.forever(Effect.zipRight(send, Effect.sleep(1_000 / requestsPerSecond)))
    yield* Effect.raceFirst(arrivals, lasts)
    yield* FiberSet.awaitEmpty(requests)
    // The tick that is due tells of the last stall.
    yield* Effect.sleep(2 * tickMs)
    return timed.map((one) => withoutStalls(stalls, one))
  }))

const msAt = (share: number, timed: ReadonlyArray<Timed>): number =>
  timed.map(({ ms }) => ms).sort((a, b) => a - b)[Math.ceil(timed.length * share) - 1] ?? Number.NaN

/** What a busy machine may add although this process runs: Redis, or a timer, is late. */
const slackMs = 50

/**
 * Prints what the outage added to the requests that were sent meanwhile, and answers with what is not as it should be:
 * bounded by the command timeout for all of them, and by next to nothing for most, since not every request finds out anew.
 */
export const excess = (
  what: string,
  before: ReadonlyArray<Timed>,
  meanwhile: ReadonlyArray<Timed>
): ReadonlyArray<string> => {
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
  const unanswered = meanwhile.filter((one) => !isAnswered(one)).length
  return [
    ...(p50 < commandTimeoutMs / 4 ? [] : [`the median: ${p50} ms`]),
    ...(p99 < commandTimeoutMs + slackMs ? [] : [`the 99th percentile: ${p99} ms`]),
    ...(most < 2 * (commandTimeoutMs + slackMs) ? [] : [`the longest: ${most} ms`]),
    ...(unanswered === 0 ? [] : [`${unanswered} without an answer`])
  ]
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
