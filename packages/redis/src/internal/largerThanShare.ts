/**
 * A request that is larger than this instance's share of a limit, but not than the limit: nothing is wrong with it, and
 * it is served once Redis is back.
 */
import type { Decision, Demand, Refusal, Restore } from "@route-llm/core"
import { rowOf } from "@route-llm/core/kernel"
import { Effect } from "effect"
import type { Instance } from "./Instance.ts"
import { type LineRunner, Seat, type Signal } from "./LineRunner.ts"
import { pause } from "./pause.ts"

/** A refusal by the share, said as what it is: the limit itself has no room as long as Redis is away. */
const byLimit = ({ mirror }: Instance, { lane }: Demand, refusal: Refusal, backInMs: number): Refusal => {
  const { dimension, needed, provider, reason } = refusal
  if (reason !== "too_large" || dimension === undefined || needed === undefined) return refusal
  const known = mirror.ledger.providers.find(({ name }) => name === provider)
  const meter = known?.meters[rowOf(dimension)]
  if (known === undefined || meter === undefined) return refusal
  const limit = known.usable(meter, lane)
  return needed > limit ? refusal : { ...refusal, reason: "full", limit, retryAfterMs: backInMs }
}

/** The same decision where the share is not why; else waits until Redis is back, or says so where the demand does not. */
export const waitForLimit = (
  { alone, instance, restore }: {
    readonly alone: LineRunner
    readonly instance: Instance
    readonly restore: Restore
  },
  demand: Demand,
  decided: Signal
): Effect.Effect<Signal> =>
  Effect.suspend(() => {
    if (decided._tag !== "Refused") return Effect.succeed(decided)
    const { options: { retryEvery } } = instance.with_
    const refusals = decided.refusals.map((refusal) => byLimit(instance, demand, refusal, retryEvery))
    const isByShare = refusals.some((refusal, index) => refusal !== decided.refusals[index])
    const refused: Decision = { _tag: "Refused", refusals }
    if (!isByShare || demand.waitMs <= 0) return Effect.succeed(refused)
    const seat = new Seat()
    return Effect.acquireUseRelease(
      Effect.sync(() => alone.seats.add(seat)),
      () => restore(Effect.raceFirst(seat.next, Effect.as(pause(Math.min(demand.waitMs, demand.timeLeftMs)), refused))),
      () => Effect.sync(() => alone.seats.delete(seat))
    )
  })
