/**
 * The dashboard's server: one page, beside the paths that it draws from. It changes nothing and takes nothing in.
 *
 * Over a router of this process: `RouterHttp.routes.pipe(HttpRouter.provideService(Router, router))`; over an application
 * elsewhere: `relayed`.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Headers from "@effect/platform/Headers"
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Cause, Effect, Predicate, type Scope } from "effect"
import { createServer } from "node:http"
import { Failed } from "../command/outcomes.ts"
import { loadPage, type Setup } from "./page.ts"

export interface DashboardOptions {
  /** 0 takes any that is free; default 8501. */
  readonly port?: number | undefined
  /** Where it listens; default `127.0.0.1`, which nobody reaches from another machine. */
  readonly host?: string | undefined
  readonly setup: Setup
  /** What the page draws: `/events` as `RouterHttp` has it, and whatever else is to be seen beside it. */
  readonly routes: HttpRouter.HttpRouter
}

const defaultPort = 8501

const loopback: ReadonlyArray<string> = ["localhost", "127.0.0.1", "[::1]"]

const secured = HttpServerResponse.setHeaders(Headers.fromInput({
  "cache-control": "no-store",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY"
}))

/**
 * A page of somebody else's can make the browser ask this server under a name of its own. What listens on the loopback
 * answers only to the names that the loopback has.
 */
const isForUs = (host: string, header: string | undefined): boolean => {
  if (!loopback.includes(host) && host !== "::1") return true
  return loopback.includes(header?.replace(/:\d+$/, "").toLowerCase() ?? "")
}

const codeOf = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  const inner = Predicate.hasProperty(error, "cause") ? error.cause : error
  return Predicate.hasProperty(inner, "code") ? String(inner.code) : String(inner)
}

const cannotListen = (host: string, port: number, cause: Cause.Cause<unknown>): Failed => {
  const code = codeOf(cause)
  return new Failed({
    message: code === "EADDRINUSE"
      ? `Port ${port} is taken, perhaps by another dashboard. Name another one: --port.`
      : `The dashboard cannot listen on ${host}:${port} (${code}).`
  })
}

/** Serves until the scope closes; succeeds with the page's address once it listens. */
export const serveDashboard = (
  { host = "127.0.0.1", port = defaultPort, routes, setup }: DashboardOptions
): Effect.Effect<string, Failed, Scope.Scope> =>
  Effect.gen(function*() {
    const page = HttpServerResponse.html(yield* loadPage(setup))
    const served = HttpRouter.get(routes, "/", page)
    const node = createServer()
    const server = yield* NodeHttpServer.make(() => node, { port, host }).pipe(
      Effect.sandbox,
      Effect.mapError((cause) => cannotListen(host, port, cause))
    )
    // A page holds its stream open for ever; without this the server would wait as long before it closes.
    yield* Effect.addFinalizer(() => Effect.sync(() => node.closeAllConnections()))
    const app = Effect.gen(function*() {
      const { headers } = yield* HttpServerRequest.HttpServerRequest
      if (!isForUs(host, headers["host"])) return HttpServerResponse.text("Not by this name.", { status: 421 })
      return yield* served
    }).pipe(
      Effect.catchTag("RouteNotFound", () => HttpServerResponse.empty({ status: 404 })),
      Effect.map(secured)
    )
    yield* server.serve(app)
    const address = server.address
    const actual = address._tag === "TcpAddress" ? address.port : port
    return `http://${loopback.includes(host) ? "localhost" : host}:${actual}`
  })
