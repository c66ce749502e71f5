import { LoopbackVendor, type LoopbackVendorOptions, noLatency } from "@route-llm/providers/testing"
import { Effect, type Scope } from "effect"
import { createServer, type IncomingMessage, request as call, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

export interface GatedVendor extends LoopbackVendor {
  /** From now on calls are taken, and not answered before `open`. */
  readonly close: Effect.Effect<void>
  readonly open: Effect.Effect<void>
  readonly held: () => number
}

/** What comes to the address goes on to the vendor at that origin once the gate is open. */
const makeGate = (origin: string, onHeld: () => void) => {
  const waiting: Array<() => void> = []
  let isOpen = true
  const forward = (request: IncomingMessage, response: ServerResponse) => {
    const { headers, method, url = "" } = request
    const onward = call(new URL(url, origin), { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    onward.on("error", () => response.destroy())
    request.pipe(onward)
  }
  return {
    come: (request: IncomingMessage, response: ServerResponse) => {
      if (isOpen) return forward(request, response)
      waiting.push(() => forward(request, response))
      onHeld()
    },
    close: () => void (isOpen = false),
    open: () => {
      isOpen = true
      for (const go of waiting.splice(0)) go()
    },
    held: () => waiting.length
  }
}

/** A vendor on loopback with a gate before it. `onHeld`: one more call is held. */
export const gatedVendor = (
  options: LoopbackVendorOptions,
  onHeld: () => void
): Effect.Effect<GatedVendor, never, Scope.Scope> =>
  Effect.gen(function*() {
    const vendor = yield* LoopbackVendor.make({ latency: noLatency, ...options })
    const gate = makeGate(vendor.url, onHeld)
    const server = createServer(gate.come)
    // One that ends just as the client sends again is a false reset.
    server.keepAliveTimeout = 0
    const port = yield* Effect.acquireRelease(
      Effect.async<number>((resume) => {
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed((server.address() as AddressInfo).port)))
      }),
      () =>
        Effect.sync(() => {
          server.close()
          server.closeAllConnections()
        })
    )
    const url = `http://127.0.0.1:${port}${new URL(vendor.url).pathname}`.replace(/\/$/, "")
    return { ...vendor, url, close: Effect.sync(gate.close), open: Effect.sync(gate.open), held: gate.held }
  })
