import type { InvalidConfig, RouterState } from "@route-llm/core"
import type { RouterStateRedis } from "@route-llm/redis"
import { Effect, Layer, type Redacted } from "effect"

/** The state that routers over one Redis share. Its client is loaded where it is used. */
export const sharedState = (
  url: Redacted.Redacted | string,
  options: RouterStateRedis.RouterStateRedisOptions = {}
): Layer.Layer<RouterState, InvalidConfig> =>
  Layer.unwrapEffect(
    Effect.map(
      Effect.promise(() => import("@route-llm/redis")),
      ({ RouterStateRedis }) => RouterStateRedis.layer({ ...options, url })
    )
  )
