/**
 * A fleet of processes on one Redis, and the vendors' own count of what they were sent: no limit is ever exceeded in any
 * window, whoever is killed meanwhile, and whatever Redis forgets.
 */
import { Effect, Fiber, identity, type Scope } from "effect"
import { describe, expect, it } from "vitest"
import { programs, startVendors, startWorker } from "./rigs/fleet/fleet.ts"
import { idealized, peaksOf } from "./rigs/fleet/peaks.ts"
import type { Ended, VendorSpec, WorkerOptions } from "./rigs/fleet/protocol.ts"
import { redisServer } from "./rigs/redisServer.ts"
import { skips, suiteRig } from "./rigs/suite.ts"

/** A minute, twenty times as fast. */
const windowMs = 3_000

/** How long a call may be on its way: as long as for a minute, since this machine is no faster than any. */
const transitMs = 500

const vendors: ReadonlyArray<VendorSpec> = [
  { name: "a", limits: { requests: 60, tokens: 30_000 } },
  { name: "b", limits: { requests: 40, tokens: 12_000, concurrent: 6 } },
  { name: "c", limits: { inputTokens: 9_000, outputTokens: 7_000 } }
]

/** Of one window, about: what binds first is 60 requests at a, 30 at b, 40 at c. */
const perWindow = 130

const processes = 8

/** Of each process. All together they ask for several times as much as there is, and most of them are in line. */
const callers = 6

/** How long a request may wait; its route ends with an error then. */
const timeoutMs = 6_000

const seed = 4_711

/** A process that has not been heard of for so long is taken to be dead. */
const leaseMs = 2_000

/**
 * So long that only a Redis that is gone is taken for one. An instance that alone takes it to be gone has its share while
 * the others have everything; that is another test's subject than whether everything is counted.
 */
const commandTimeoutMs = 2_000

/** A busy machine wakes late. */
const slackMs = 3_000

/** What may become of a request that there is no room for, or too little time once there is. */
const isFair = (ended: Ended): boolean =>
  ended._tag === "Answered" || ended.error === "NoCapacity" || ended.error === "DeadlineExceeded"
  || (ended.error === "AllProvidersFailed" && ended.calls.every((how) => how === "timeout"))

const countBy = (ended: ReadonlyArray<Ended>): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {}
  for (const each of ended) {
    const outcome = each._tag === "Answered" ? each.provider : each.error
    counts[outcome] = (counts[outcome] ?? 0) + 1
  }
  return counts
}

const run = <A>(effect: Effect.Effect<A, never, Scope.Scope>) => Effect.runPromise(Effect.scoped(effect))

const each = <A, B, R>(all: ReadonlyArray<A>, f: (one: A) => Effect.Effect<B, never, R>) =>
  Effect.forEach(all, f, { concurrency: "unbounded" })

describe.skipIf(skips("own"))("a fleet", () => {
  const rig = suiteRig(
    Effect.all({ redis: redisServer(), folder: programs }),
    ({ redis }) => Effect.zipRight(redis.start, redis.flush)
  )

  const startFleet = (count: number, options: Pick<WorkerOptions, "vendors" | "vendorsUrl">) =>
    Effect.forEach(
      Array.from({ length: count }, (_, index) => index),
      (index) =>
        startWorker(rig().folder, {
          ...options,
          name: `worker${index}`,
          redisUrl: rig().redis.url,
          namespace: "fleet",
          windowMs,
          transitMs,
          state: { commandTimeout: commandTimeoutMs, heartbeat: 200, leaseTtl: leaseMs, retryEvery: 100 },
          seed: seed + index
        }),
      { concurrency: "unbounded" }
    )

  it(
    `never exceeds a limit, with two of ${processes} processes killed and Redis lost meanwhile (seed ${seed})`,
    () =>
      run(Effect.gen(function*() {
        const { arrivals, awaitCounted, url } = yield* startVendors(rig().folder)
        const answered = (windows: number) => awaitCounted((counted) => counted.answered >= windows * perWindow)
        const workers = yield* startFleet(processes, { vendors, vendorsUrl: url })
        const [first, second, ...survivors] = workers
        yield* each(workers, ({ load }) => load({ callers, timeoutMs }))
        yield* answered(1.5)
        // Redis knows what it had, and its leases end after their time.
        yield* first!.kill
        yield* answered(2.5)
        // Nobody is left that knows what this one had: Redis forgets it in the same moment.
        yield* each([second!.kill, rig().redis.stop], identity)
        // They go on without it.
        yield* answered(2.7)
        yield* rig().redis.start
        yield* answered(5)
        const reports = yield* each(survivors, ({ stop }) => stop)
        const seen = yield* arrivals

        const ended = reports.flatMap((report) => report.ended)
        const givenUp = reports.flatMap((report) => report.givenUp)
        const { calls, late } = idealized(seen, { transitMs, givenUp })
        const peaks = peaksOf(vendors, calls, windowMs)
        const lastedMs = Math.max(...seen.map(({ arrivedMs }) => arrivedMs)) - seen[0]!.arrivedMs
        console.log(
          `seed ${seed}, ${Math.round(lastedMs)} ms of load, outages per process ${
            reports.map((report) => report.outages)
          }, ${late} of ${seen.length} calls were longer than ${transitMs} ms `
            + `on their way:`,
          countBy(ended),
          peaks
        )

        expect(peaks.filter(({ limit, peak }) => peak > limit)).toEqual([])
        for (const { name } of vendors) {
          const shares = peaks.filter(({ vendor }) => vendor === name).map(({ limit, peak }) => peak / limit)
          expect(Math.max(...shares)).toBeGreaterThan(0.6)
        }
        for (const report of reports) {
          expect(report.outages).toBeGreaterThan(0)
          expect(report.ended).toHaveLength(report.started)
          expect(new Set(report.ended.map(({ id }) => id)).size).toBe(report.started)
        }
        expect(ended.filter((one) => !isFair(one))).toEqual([])
        // Answered once, or not at all; and what a caller was told is what its vendor did.
        const mayBeTwice = new Set(givenUp.map(({ id, vendor }) => `${vendor} ${id}`))
        const alive = new Set(survivors.map(({ name }) => name))
        const answers = seen.filter(({ answered: is, id, vendor }) =>
          is && alive.has(id.split("-")[0] ?? "") && !mayBeTwice.has(`${vendor} ${id}`)
        )
        const answeredIds = new Set(answers.map(({ id }) => id))
        expect(answers).toHaveLength(answeredIds.size)
        expect(ended.filter(({ _tag, id }) => _tag === "Answered" && !answeredIds.has(id))).toEqual([])
      })),
    90_000
  )

  it("has the places of the dead back after their time", () =>
    run(Effect.gen(function*() {
      const { arrivals, awaitCounted, url } = yield* startVendors(rig().folder)
      const slow: VendorSpec = { name: "slow", limits: { concurrent: 4 } }
      const [survivor, ...dying] = yield* startFleet(3, { vendors: [slow], vendorsUrl: url })
      const hanging = { inputTokens: 1, outputTokens: 1, latencyMs: 60_000 }
      for (const { ask, name } of dying) {
        yield* each([1, 2], (number) => Effect.forkScoped(ask({ ...hanging, id: `${name}-${number}` }, 60_000)))
      }
      yield* awaitCounted(({ arrived }) => arrived === 4)
      const waiting = yield* Effect.fork(survivor!.ask({ ...hanging, id: "late", latencyMs: 0 }, 60_000))
      // In line, like everyone who comes after it.
      const refused = yield* survivor!.ask({ ...hanging, id: "hasty" }, 200)
      expect(refused).toMatchObject({ _tag: "Failed" })
      yield* each(dying, ({ kill }) => kill)
      expect(yield* Fiber.join(waiting)).toMatchObject({ _tag: "Answered" })
      const seen = yield* arrivals
      const freedMs = Math.max(...seen.flatMap(({ endedMs, id }) => id === "late" ? [] : endedMs ?? Infinity))
      const late = seen.find(({ id }) => id === "late")!.arrivedMs - freedMs
      console.log(`served ${Math.round(late)} ms after the last one had died; leases end after ${leaseMs} ms`)
      expect(late).toBeGreaterThan(0)
      expect(late).toBeLessThan(leaseMs + slackMs)
    })), 60_000)
})
