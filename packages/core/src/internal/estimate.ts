import { Context, Effect, Exit } from "effect"
import type { ChatRequest } from "../ChatRequest.ts"
import { TokenEstimator, type TokenEstimatorService } from "../TokenEstimator.ts"
import { within } from "./within.ts"

/** What an estimator of the user's own may take. */
const longestEstimateMs = 1_000

const heuristic = Context.get(Context.empty(), TokenEstimator)

/** An estimator may be anyone's own: what it answers is used only if it is a count, and comes in time. */
export const makeEstimate =
  (estimator: TokenEstimatorService) => (request: ChatRequest, timeoutMs: number): Effect.Effect<number> => {
    if (estimator === heuristic) return heuristic.estimate(request)
    const estimated = Effect.suspend(() => estimator.estimate(request))
    const inTime = within(estimated, Math.min(longestEstimateMs, timeoutMs / 2), () => Exit.succeed(Number.NaN))
    return Effect.flatMap(
      Effect.exit(inTime),
      (exit) =>
        Exit.isSuccess(exit) && Number.isFinite(exit.value) && exit.value >= 0
          ? Effect.succeed(exit.value)
          : heuristic.estimate(request)
    )
  }
