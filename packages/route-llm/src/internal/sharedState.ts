import type { InvalidConfig, RouterState } from "@route-llm/core"
import type { RouterStateRedis } from "@route-llm/redis"
import { Effect, Layer, type Redacted } from "effect"

const layers = Effect.map(Effect.promise(() => import("@route-llm/redis")), ({ RouterStateRedis }) => RouterStateRedis)

/** The state that routers over one Redis share. Its client is loaded where it is used. */
export const sharedState = (
  url: Redacted.Redacted,
  options: RouterStateRedis.RouterStateRedisOptions = {}
): Layer.Layer<RouterState, InvalidConfig> =>
  Layer.unwrapEffect(Effect.map(layers, ({ layer }) => layer({ ...options, url })))

/** The same, only looked at. */
export const observedState = (url: Redacted.Redacted, namespace?: string): Layer.Layer<RouterState, InvalidConfig> =>
  Layer.unwrapEffect(
    Effect.map(layers, ({ layerObserver }) => layerObserver({ url, ...(namespace === undefined ? {} : { namespace }) }))
  )
