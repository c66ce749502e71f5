import * as HttpApp from "@effect/platform/HttpApp"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import type { Router } from "@route-llm/core"
import { Effect, Predicate, type Runtime } from "effect"
import { errorResponse } from "./responses.ts"
import { routes } from "./RouterHttp.ts"

type Handler = (request: Request) => Promise<Response>

/** `/status`, wherever the application has mounted it. */
const lastPart = (url: string): string => {
  const at = url.indexOf("?")
  const [path, query] = at === -1 ? [url, ""] : [url.slice(0, at), url.slice(at)]
  const part = path.replace(/\/+$/, "")
  return part.slice(part.lastIndexOf("/")) + query
}

const notFound = errorResponse(
  404,
  "NotFound",
  "There are GET /status, GET /events, GET or POST /explain and GET /metrics."
)

const app = routes.pipe(
  Effect.catchTag("RouteNotFound", () => Effect.succeed(notFound)),
  Effect.updateService(
    HttpServerRequest.HttpServerRequest,
    (request) => request.modify({ url: lastPart(request.url) })
  )
)

const refusal = (error: unknown): Response => {
  const _tag = Predicate.hasProperty(error, "_tag") ? String(error._tag) : "Unavailable"
  const message = error instanceof Error ? error.message : "The router is not available."
  return Response.json({ error: { _tag, message } }, { status: 503, headers: { "cache-control": "no-store" } })
}

/** The routes as a web-standard handler over a router that may not be there yet, or no more. Never rejects. */
export const makeWebHandler = (running: () => Promise<Runtime.Runtime<Router>>): Handler => {
  let made: Handler | undefined
  return async (request) => {
    try {
      const runtime = await running()
      made ??= HttpApp.toWebHandlerRuntime(runtime)(app)
      return await made(request)
    } catch (error) {
      return refusal(error)
    }
  }
}
