import type { Clock } from "effect"

/** Milliseconds of the clock's nanoseconds: monotonic where `currentTimeMillis` follows the wall clock. */
export const monotonicMs = (clock: Clock.Clock): number => Number(clock.unsafeCurrentTimeNanos()) / 1e6
