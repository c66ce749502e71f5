import { Clock, Context, DefaultServices } from "effect"

export const liveClock = Context.get(DefaultServices.liveServices, Clock.Clock)

/**
 * Milliseconds that only ever grow, also while the wall clock is set back. Of the live clock the platform's number is
 * read, since the clock's own nanoseconds are a `bigint`, which costs ten times as much.
 */
export const monotonicMs = (clock: Clock.Clock): number =>
  clock === liveClock ? performance.now() : Number(clock.unsafeCurrentTimeNanos()) / 1e6
