import * as HttpRouter from "@effect/platform/HttpRouter"
import {
  type ChatRequest,
  type InvalidConfig,
  ProviderRegistry,
  Router,
  type RouterConfig,
  RouterLive,
  RouterOptions,
  RouterState,
  StateUnavailable,
  TokenEstimator,
  toRouterOptions
} from "@route-llm/core"
import { Console, Context, Effect, Layer, Logger, LogLevel, Option, type Redacted } from "effect"
import { fromYaml } from "../ConfigFile.ts"
import { checkAdapters } from "../internal/checkConfig.ts"
import { entryWithoutClient } from "../internal/entries.ts"
import { observedState } from "../internal/sharedState.ts"
import { Failed } from "./outcomes.ts"
import { failedBy, redisAddress, type Sought, type Source } from "./Source.ts"

/** Where the router's state is; only an application's own router is without a shared one. */
const stateAt = (
  redisUrl: Redacted.Redacted | undefined,
  namespace: Option.Option<string>
): Layer.Layer<RouterState, InvalidConfig> =>
  redisUrl === undefined ? RouterState.layerMemory : observedState(redisUrl, Option.getOrUndefined(namespace))

/** A router over the configuration's providers that has no client to call them with. */
const routerOver = (config: RouterConfig, State: Layer.Layer<RouterState, InvalidConfig>) => {
  const Providers = Layer.scopedDiscard(
    Effect.flatMap(ProviderRegistry, (registry) =>
      Effect.forEach(
        config.providers.filter(({ enabled }) => enabled !== false),
        (entry) => Effect.flatMap(entryWithoutClient(entry), registry.register),
        { discard: true }
      ))
  )
  return RouterLive.pipe(
    Layer.provide(Providers),
    Layer.provide([ProviderRegistry.layer, State]),
    Layer.provide(RouterOptions.layer(toRouterOptions(config))),
    Layer.provide(TokenEstimator.layerTiktoken),
    // What goes wrong is in the answer.
    Layer.provide(Logger.minimumLogLevel(LogLevel.None))
  )
}

/** What only calls need: the machine from which one looks on may have no key. */
const ofCalls = ["apiKey", "baseUrl"]

const empty: ChatRequest = { messages: [{ role: "user", content: "" }] }

/** What went wrong with the state, and where that is. */
const away = ({ message }: StateUnavailable, address: string | undefined): Failed =>
  new Failed({ message: address === undefined ? message : `${message} That is Redis at ${address}.` })

const note = (path: string): string =>
  `${path} names no redis_url, so this is a router that has just started. What an application's router does is known to `
  + "the application: --url."

/**
 * What a router over the configuration sees: of what its Redis shares, or of nothing yet. `redis` outranks the
 * configuration's `redis_url`.
 */
export const openConfigured = (path: string, { namespace, redis }: Pick<Sought, "namespace" | "redis">) =>
  Effect.gen(function*() {
    const unneeded = new Set([...ofCalls, ...(Option.isSome(redis) ? ["redisUrl"] : [])])
    const written = yield* fromYaml(path, { check: checkAdapters, unneeded })
    const redisUrl = Option.getOrElse(redis, () => written.redisUrl)
    const address = redisUrl && redisAddress(redisUrl)
    if (redisUrl !== undefined && address === undefined) {
      return yield* new Failed({ message: `${path}: redis_url is no address such as redis://localhost:6379.` })
    }
    const State = stateAt(redisUrl, namespace)
    if (redisUrl === undefined) yield* Console.error(note(path))
    const router = Context.get(yield* Layer.build(routerOver(written, State)), Router)
    const source: Source = {
      name: path,
      report: Effect.catchAllDefect(router.report, (cause) => away(new StateUnavailable({ cause }), address)),
      explain: ({ asked, inputTokens, request = empty }) =>
        Effect.mapError(
          router.explain({ ...request, ...asked }, { inputTokens }),
          (error) => error._tag === "StateUnavailable" ? away(error, address) : failedBy(error)
        ),
      routes: Effect.map(
        Effect.promise(() => import("../http/RouterHttp.ts")),
        ({ routes }) => HttpRouter.provideService(routes, Router, router)
      )
    }
    return source
  }).pipe(Effect.mapError(failedBy))
