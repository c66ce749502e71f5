import { Duration, Effect } from "effect"
import type { ChatRequest } from "../ChatRequest.ts"
import type { Provider } from "../Provider.ts"
import type { ProviderRegistryService } from "../ProviderRegistry.ts"
import { type InvalidRequest, NoProvidersConfigured, UnknownProvider } from "../RouterError.ts"
import type { RouterSettings } from "../RouterOptions.ts"
import type { TokenEstimatorService } from "../TokenEstimator.ts"
import { monotonicMs } from "./clock.ts"
import { makeEstimate } from "./estimate.ts"
import { checkRequest, type Route } from "./route.ts"

interface Services {
  readonly registry: ProviderRegistryService
  readonly settings: RouterSettings
  readonly estimator: TokenEstimatorService
}

export const unknownProvider = (provider: string, providers: ReadonlyArray<Provider>) =>
  new UnknownProvider({ provider, registered: providers.map(({ name }) => name) })

/** The request as a route: checked, estimated, with its times and bounds. */
export const makeRoute = ({ estimator, registry, settings }: Services) => {
  const estimate = makeEstimate(estimator)
  return (
    request: ChatRequest,
    { journey, streams }: Pick<Route, "journey" | "streams">
  ): Effect.Effect<Route, InvalidRequest | NoProvidersConfigured | UnknownProvider> =>
    Effect.gen(function*() {
      yield* checkRequest(request)
      journey.accept(request)
      const providers = yield* registry.providers
      if (providers.length === 0) return yield* new NoProvidersConfigured()
      const forced = request.forceProvider
      if (forced !== undefined && !providers.some(({ name }) => name === forced)) {
        return yield* unknownProvider(forced, providers)
      }
      const timeoutMs = request.timeout === undefined ? settings.timeout : Duration.toMillis(request.timeout)
      const deadlineMs = monotonicMs(yield* Effect.clock) + timeoutMs
      const waits = (request.onSaturated ?? settings.waiting.onSaturated) === "wait"
      return {
        journey,
        request,
        inputTokens: yield* estimate(request, timeoutMs),
        deadlineMs,
        timeoutMs,
        maxWaitMs: waits ? settings.waiting.maxWait : 0,
        maxAttempts: request.maxAttempts ?? settings.maxAttempts,
        attemptTimeoutMs: request.attemptTimeout === undefined
          ? settings.attemptTimeout
          : Duration.toMillis(request.attemptTimeout),
        streams,
        failed: [],
        roundStart: 0
      }
    })
}
