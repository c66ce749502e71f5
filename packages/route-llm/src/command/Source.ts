/**
 * Where a command looks: at an application over HTTP, or at a router of its own over a configuration, which calls
 * nobody.
 */
import { FileSystem } from "@effect/platform/FileSystem"
import type { HttpRouter } from "@effect/platform/HttpRouter"
import type { ChatRequest, Explanation, StatusReport } from "@route-llm/core"
import { Effect, Option, Redacted } from "effect"
import { Failed, Misused } from "./outcomes.ts"
import { defaultConfig } from "./sourceOptions.ts"

/** Where would this go? */
export interface Question {
  /** Absent: of no particular content. */
  readonly request?: ChatRequest | undefined
  /** Of the request, whatever it says itself. */
  readonly asked: Pick<ChatRequest, "maxTokens" | "priority" | "sessionId" | "forceProvider">
  /** Outranks the estimate. */
  readonly inputTokens?: number | undefined
}

export interface Source {
  /** As messages call it. */
  readonly name: string
  readonly report: Effect.Effect<StatusReport, Failed>
  readonly explain: (question: Question) => Effect.Effect<Explanation, Failed>
  /** What a dashboard draws from. */
  readonly routes: Effect.Effect<HttpRouter>
}

export interface Sought {
  readonly url: Option.Option<string>
  readonly config: Option.Option<string>
  readonly redis: Option.Option<Redacted.Redacted>
  readonly namespace: Option.Option<string>
}

/** `host:port` of an address of Redis, without user and password; `undefined`: it is none. */
export const redisAddress = (address: Redacted.Redacted): string | undefined => {
  const text = Redacted.value(address)
  if (!/^rediss?:\/\/\S+$/.test(text) || !URL.canParse(text)) return undefined
  const { hostname, port } = new URL(text)
  return hostname === "" ? undefined : `${hostname}:${port || 6379}`
}

/** Whatever went wrong, by the message that it was given. */
export const failedBy = (error: { readonly message: string }): Failed => new Failed({ message: error.message })

const nowhere = ({ namespace, redis }: Sought): Misused => {
  const [state] = [...(Option.isSome(redis) ? ["--redis"] : []), ...(Option.isSome(namespace) ? ["--namespace"] : [])]
  return new Misused({
    message: state === undefined
      ? "Say where to look: --url http://localhost:3000/llm, where an application serves its router's status, or "
        + `--config FILE. There is no ${defaultConfig} here.`
      : `${state} says where the state is; the names of the providers are in --config FILE, and there is no ${defaultConfig} here.`
  })
}

const noRedis = new Misused({ message: "--redis takes an address such as redis://localhost:6379." })

export const openSource = (sought: Sought) =>
  Effect.gen(function*() {
    const { config, namespace, redis, url } = sought
    if (Option.isSome(redis) && redisAddress(redis.value) === undefined) return yield* noRedis
    if (Option.isNone(url)) {
      const files = yield* FileSystem
      if (Option.isNone(config) && !(yield* Effect.orElseSucceed(files.exists(defaultConfig), () => false))) {
        return yield* nowhere(sought)
      }
      const { openConfigured } = yield* Effect.promise(() => import("./configuredSource.ts"))
      return yield* openConfigured(Option.getOrElse(config, () => defaultConfig), { namespace, redis })
    }
    if (Option.isSome(config) || Option.isSome(redis) || Option.isSome(namespace)) {
      const message = "--url asks an application: it takes no --config, --redis or --namespace."
      return yield* new Misused({ message })
    }
    const { openRemote } = yield* Effect.promise(() => import("./remoteSource.ts"))
    return yield* openRemote(url.value)
  })
