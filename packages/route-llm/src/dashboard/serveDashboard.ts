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
import { BlockList, isIP, isIPv6 } from "node:net"
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

const loopback = new BlockList()
loopback.addSubnet("127.0.0.0", 8)
loopback.addAddress("::1", "ipv6")

const isLoopback = (address: string): boolean => loopback.check(address, isIPv6(address) ? "ipv6" : "ipv4")

/** As an address has it: IPv6 in brackets. */
const written = (host: string): string => isIPv6(host) ? `[${host}]` : host

/** A host without its brackets, its last dot and its case. */
const plain = (host: string): string => host.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "").toLowerCase()

const secured = HttpServerResponse.setHeaders(Headers.fromInput({
  "cache-control": "no-store",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY"
}))

/**
 * A page of somebody else's can make the browser ask this server under a name of its own. What listens on the loopback
 * answers only to the names that the loopback has, and to the one by which it was told to listen there.
 */
const isForUs = (host: string, address: string, header = ""): boolean => {
  if (!isLoopback(address)) return true
  const name = plain(header.replace(/:\d+$/, ""))
  return name === "localhost" || name === host || (isIP(name) !== 0 && isLoopback(name))
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
      : `The dashboard cannot listen on ${written(host)}:${port} (${code}).`
  })
}

/** Serves until the scope closes; succeeds with the page's address once it listens. */
export const serveDashboard = (
  { host: named = "127.0.0.1", port = defaultPort, routes, setup }: DashboardOptions
): Effect.Effect<string, Failed, Scope.Scope> =>
  Effect.gen(function*() {
    const host = plain(named)
    const page = HttpServerResponse.html(yield* loadPage(setup))
    const served = HttpRouter.get(routes, "/", page)
    const node = createServer()
    const server = yield* NodeHttpServer.make(() => node, { port, host }).pipe(
      Effect.sandbox,
      Effect.mapError((cause) => cannotListen(host, port, cause))
    )
    // A page holds its stream open for ever; without this the server would wait as long before it closes.
    yield* Effect.addFinalizer(() => Effect.sync(() => node.closeAllConnections()))
    // A server over TCP; the name may stand for an address of the loopback.
    const listening = server.address._tag === "TcpAddress" ? server.address : { hostname: host, port }
    const address = listening.hostname
    const app = Effect.gen(function*() {
      const { headers } = yield* HttpServerRequest.HttpServerRequest
      if (!isForUs(host, address, headers["host"])) return HttpServerResponse.text("Not by this name.", { status: 421 })
      return yield* served
    }).pipe(
      Effect.catchTag("RouteNotFound", () => HttpServerResponse.empty({ status: 404 })),
      Effect.map(secured)
    )
    yield* server.serve(app)
    return `http://${host === "127.0.0.1" ? "localhost" : written(host)}:${listening.port}`
  })
