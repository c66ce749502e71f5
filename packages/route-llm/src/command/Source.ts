/**
 * Where a command looks: at an application over HTTP, or at a router of its own over a configuration, which calls
 * nobody.
 */
import { FileSystem } from "@effect/platform/FileSystem"
import type { HttpRouter } from "@effect/platform/HttpRouter"
import type { ChatRequest, Explanation, StatusReport } from "@route-llm/core"
import { Effect, Option, type Redacted } from "effect"
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

/** Whatever went wrong, by the message that it was given. */
export const failedBy = (error: { readonly message: string }): Failed => new Failed({ message: error.message })

const nowhere = new Misused({
  message: "Say where to look: --url http://localhost:3000/llm, where an application serves its router's status, or "
    + `--config FILE. There is no ${defaultConfig} here.`
})

export const openSource = ({ config, namespace, redis, url }: Sought) =>
  Effect.gen(function*() {
    if (Option.isNone(url)) {
      const files = yield* FileSystem
      if (Option.isNone(config) && !(yield* Effect.orElseSucceed(files.exists(defaultConfig), () => false))) {
        return yield* nowhere
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
