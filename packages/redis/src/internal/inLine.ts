import type { Decision, Demand, Reservation, Restore } from "@route-llm/core"
import { Effect } from "effect"
import { type LineRunner, Seat, type Signal } from "./LineRunner.ts"

export interface Grants {
  /** The line has granted it, in this very step. */
  readonly take: (reservation: Reservation) => void
  /** Whether the grant stands. `Away`: that cannot be told; ask again. */
  readonly confirm: (reservation: Reservation) => Effect.Effect<Decision | { readonly _tag: "Away" }>
  /** It is not wanted any more. */
  readonly giveBack: (reservation: Reservation) => void
  /** It has a place in line from now on. */
  readonly joined: () => void
}

/** In line until it is served, refused, or the line serves no more. */
export const inLine = (
  { line, seats, step }: LineRunner,
  demand: Demand,
  restore: Restore,
  { confirm, giveBack, joined, take }: Grants
): Effect.Effect<Signal> =>
  Effect.suspend(() => {
    const seat = new Seat(take)
    const leave = step((nowMs) => {
      seats.delete(seat)
      const { unseen, waiter } = seat
      if (unseen?._tag === "Granted") giveBack(unseen.reservation)
      if (waiter !== undefined) line.leave(waiter, nowMs)
      line.dispatch(nowMs)
    })

    const answered = (asked: Decision | { readonly _tag: "Away" }): Effect.Effect<Signal> => {
      if (asked._tag === "Away") return Effect.as(leave, { _tag: "Moved" })
      const { waiter } = seat
      if (asked._tag !== "Refused" || waiter === undefined || waiter.decision !== undefined) {
        return step((nowMs) => {
          seats.delete(seat)
          if (waiter !== undefined) line.served(waiter, asked)
          line.dispatch(nowMs)
          return asked
        })
      }
      // Somebody else was quicker: back to its place.
      return Effect.flatMap(
        step((nowMs) => {
          line.again(waiter)
          line.dispatch(nowMs)
        }),
        () => look
      )
    }

    const look: Effect.Effect<Signal> = Effect.suspend(() =>
      Effect.flatMap(
        Effect.onInterrupt(restore(seat.next), () => leave),
        (signal): Effect.Effect<Signal> => {
          if (signal._tag === "Moved") return Effect.as(leave, signal)
          if (signal._tag === "Granted") return Effect.flatMap(confirm(signal.reservation), answered)
          seats.delete(seat)
          return Effect.succeed(signal)
        }
      )
    )

    return Effect.flatMap(
      step((nowMs) => {
        seats.add(seat)
        const asked = line.ask(demand, nowMs, seat.resume)
        if ("_tag" in asked) {
          if (asked._tag === "Granted") take(asked.reservation)
          return asked
        }
        seat.waiter = asked
        joined()
        return undefined
      }),
      (asked) => {
        if (asked === undefined) return look
        if (asked._tag !== "Granted") {
          seats.delete(seat)
          return Effect.succeed(asked)
        }
        return Effect.flatMap(confirm(asked.reservation), (confirmed): Effect.Effect<Signal> => {
          seats.delete(seat)
          if (confirmed._tag === "Away") return Effect.succeed({ _tag: "Moved" })
          // What was thought free is not: now that this is known, in line.
          return confirmed._tag === "Refused" && demand.waitMs > 0
            ? inLine({ line, seats, step }, demand, restore, { confirm, giveBack, joined, take })
            : Effect.succeed(confirmed)
        })
      }
    )
  })
