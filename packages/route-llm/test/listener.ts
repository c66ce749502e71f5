import type { IncomingMessage, ServerResponse } from "node:http"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"

/** A web-standard handler on a Node server, as the documents have it for Express. */
export const listener =
  (handler: (request: Request) => Promise<Response>) => async (request: IncomingMessage, response: ServerResponse) => {
    const hasBody = request.method === "POST"
    const answer = await handler(
      new Request(new URL(request.url ?? "/", "http://localhost"), {
        method: request.method ?? "GET",
        headers: new Headers(
          Object.entries(request.headers).map(([name, value]): [string, string] => [name, `${value}`])
        ),
        ...(hasBody ? { body: Readable.toWeb(request) as ReadableStream, duplex: "half" } : {})
      })
    )
    response.writeHead(answer.status, Object.fromEntries(answer.headers))
    if (answer.body === null) return void response.end()
    // Whoever leaves breaks it off.
    await pipeline(Readable.fromWeb(answer.body as Parameters<typeof Readable.fromWeb>[0]), response).catch(() => {})
  }
