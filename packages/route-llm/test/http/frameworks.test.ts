import { Explanation, StatusReport } from "@route-llm/core"
import { Effect, Schema } from "effect"
import express from "express"
import fastify from "fastify"
import { Hono } from "hono"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { pipeline, Readable } from "node:stream"
import type { LLMRouter } from "route-llm"
import { expect, it } from "vitest"
import { serve } from "../command/run.ts"
import { hello, makeApp, promised, readFrames, run } from "./support.ts"

/** Where a server listens on a free port, until the scope closes. */
const listening = (server: Server) =>
  Effect.acquireRelease(
    promised(() =>
      new Promise<string>((resolve) => {
        server.listen(0, "127.0.0.1", () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
      })
    ),
    () =>
      Effect.sync(() => {
        server.closeAllConnections()
        server.close()
      })
  )

type Mounted = Pick<LLMRouter, "statusHandler">

/** The handler, and a promise of the moment at which the reader of its events is known to have left. */
const watched = (serve: LLMRouter["statusHandler"]) => {
  let gone = () => {}
  const left = new Promise<void>((resolve) => gone = resolve)
  const statusHandler = async (request: Request): Promise<Response> => {
    const answer = await serve(request)
    if (!request.url.endsWith("/events") || answer.body === null) return answer
    const reader = answer.body.getReader()
    const body = new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        const { done, value } = await reader.read()
        if (done) controller.close()
        else controller.enqueue(value)
      },
      cancel: async () => {
        await reader.cancel()
        gone()
      }
    })
    return new Response(body, answer)
  }
  return { statusHandler, left }
}

// The lines of docs/status.md.
const expressWith = (...before: ReadonlyArray<express.RequestHandler>) => (router: Mounted) => {
  const app = express()
  for (const handler of before) app.use(handler)
  // oxlint-disable-next-line oxc/no-async-endpoint-handlers -- Express 5 waits for it, and hands on what it rejects with
  app.use("/llm", async (req, res) => {
    const unread = () => req.body === undefined ? Readable.toWeb(req) : JSON.stringify(req.body)
    const body = req.method === "POST" ? { body: unread(), duplex: "half" } : {}
    const answer = await router.statusHandler(
      new Request(`http://localhost${req.url}`, { method: req.method, ...body } as RequestInit)
    )
    res.status(answer.status).setHeaders(answer.headers)
    if (answer.body === null) res.end()
    else pipeline(Readable.fromWeb(answer.body as Parameters<typeof Readable.fromWeb>[0]), res, () => {})
  })
  return listening(createServer(app))
}

const mounted = {
  Express: expressWith(),
  "Express behind express.json()": expressWith(express.json()),
  Fastify: (router: Mounted) =>
    Effect.acquireRelease(
      promised(async () => {
        const app = fastify({ forceCloseConnections: true })
        app.all("/llm/*", ({ body, method, url }) =>
          router.statusHandler(
            new Request(`http://localhost${url}`, { method, body: body === undefined ? null : JSON.stringify(body) })
          ))
        return { app, url: await app.listen({ port: 0, host: "127.0.0.1" }) }
      }),
      ({ app }) => Effect.promise(() => app.close())
    ).pipe(Effect.map(({ url }) => url)),
  Hono: (router: Mounted) => {
    const app = new Hono().all("/llm/*", (context) => router.statusHandler(context.req.raw))
    return Effect.map(serve(async (request) => app.fetch(request)), ({ url }) => url)
  }
}

it.each(Object.entries(mounted))(
  "%s serves every path, and lets a reader of the events leave",
  (_, mount) =>
    run(Effect.gen(function*() {
      const { router } = yield* makeApp()
      const { left, statusHandler } = watched(router.statusHandler)
      const url = `${yield* mount({ statusHandler })}/llm`
      const fetched = (path: string, init?: RequestInit) => promised(() => fetch(`${url}${path}`, init))

      const status = yield* fetched("/status")
      expect([status.status, status.headers.get("cache-control")]).toEqual([200, "no-store"])
      expect(Schema.is(StatusReport)(yield* promised(() => status.json()))).toBe(true)
      const asked = { method: "POST", body: JSON.stringify(hello), headers: { "content-type": "application/json" } }
      for (const explained of [yield* fetched("/explain?input=10"), yield* fetched("/explain", asked)]) {
        expect(Schema.decodeUnknownSync(Explanation)(yield* promised(() => explained.json())).chosen).toBe("openai")
      }
      expect(yield* promised(async () => (await fetch(`${url}/metrics`)).text())).toContain("route_llm_limit")
      expect((yield* fetched("/nothing")).status).toBe(404)
      for (const path of ["/status", "/events"]) {
        const head = yield* fetched(path, { method: "HEAD" })
        expect([path, head.status, yield* promised(() => head.text())]).toEqual([path, 200, ""])
      }

      const response = yield* fetched("/events")
      expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8")
      const frames = readFrames(response)
      expect(yield* promised(() => frames.next())).toMatchObject({ event: "status" })
      yield* promised(() => router.chat(hello))
      yield* promised(() => frames.until(({ event }) => event === "RouteEnded"))
      yield* promised(() => frames.cancel())
      yield* promised(() => left)
    })),
  60_000
)
