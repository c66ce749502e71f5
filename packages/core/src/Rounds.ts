/**
 * Fallback as a `Schedule`. A round calls each candidate once, at once; once none is left and the failures were
 * momentary, the schedule says whether there is another round, and after which pause. It is stepped with the error that
 * the route would end with.
 *
 * Whatever it says, a route ends when its time, its `maxAttempts` or the retry budget does, and no provider is called
 * before the time it has asked for.
 *
 * ```ts no-run
 * import { RouterOptions } from "@route-llm/core"
 * import { Schedule } from "effect"
 *
 * const oneMore = RouterOptions.layer({ rounds: Schedule.addDelay(Schedule.recurs(1), () => "2 seconds") })
 * const none = RouterOptions.layer({ rounds: Schedule.stop })
 * ```
 *
 * @since 0.1.0
 */
import { Schedule } from "effect"
import type { AllProvidersFailed } from "./RouterError.ts"

/**
 * @since 0.1.0
 */
export type Rounds = Schedule.Schedule<unknown, AllProvidersFailed>

/**
 * The default: exponential backoff from 500 ms up to 10 s, with full jitter (a pause anywhere between nothing and that,
 * which spreads callers best: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015), for as long as the route
 * may take.
 *
 * @since 0.1.0
 */
export const backoff: Rounds = Schedule.exponential("500 millis").pipe(
  Schedule.union(Schedule.spaced("10 seconds")),
  Schedule.jitteredWith({ min: 0, max: 1 })
)
