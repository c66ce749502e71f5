/**
 * One server for each suite: started before its first test, emptied before each, gone after the last.
 *
 * ```ts no-run
 * describe.skipIf(skips("own"))("a suite", () => {
 *   const rig = suiteRig(redisServer(), ({ flush }) => flush)
 *   it("has a server", () => expect(rig().url).toMatch(/^redis:/))
 * })
 * ```
 */
import { Effect, Exit, Scope } from "effect"
import { afterAll, beforeAll, beforeEach } from "vitest"
import { missing } from "./redisServer.ts"

/** Starting a cluster or a sentinel takes seconds on a busy machine. */
const startingMs = 60_000

let isSaid = false

/**
 * Whether suites that need such a Redis are skipped because there is none; says so once. With `REQUIRE_REDIS=1` nothing
 * is skipped, and making the rig fails.
 */
export const skips = (needs: "any" | "own"): boolean => {
  const absent = missing(needs)
  if (absent === undefined || process.env.REQUIRE_REDIS === "1") return false
  if (!isSaid) console.warn(`Redis suites are skipped: ${absent}.`)
  isSaid = true
  return true
}

/** Makes the rig of the suite around it, and answers with what reads it inside tests and hooks. */
export const suiteRig = <Rig>(
  rig: Effect.Effect<Rig, never, Scope.Scope>,
  flush: (rig: Rig) => Effect.Effect<void>
): () => Rig => {
  const scope = Effect.runSync(Scope.make())
  let made: Rig | undefined
  const current = (): Rig => {
    if (made === undefined) throw new Error("the rig is there inside tests and hooks only")
    return made
  }
  beforeAll(async () => {
    made = await Effect.runPromise(Scope.extend(rig, scope))
  }, startingMs)
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)), startingMs)
  beforeEach(() => Effect.runPromise(flush(current())))
  return current
}
