/**
 * A metrics endpoint for Prometheus: `statusHandler` answers `/metrics`, here on a server of Node's own, and the program
 * scrapes it once. The vendors are on loopback, the first of which is down.
 */
import { LoopbackVendor, noLatency } from "@route-llm/providers/testing"
import { Effect } from "effect"
import { once } from "node:events"
import { createServer } from "node:http"
import OpenAI from "openai"
import { LLMRouter } from "route-llm"

const main = async (firstUrl: string, secondUrl: string) => {
  await using router = LLMRouter.fromConfig({ providers: [] })
    .register("first", { client: new OpenAI({ apiKey: "any", baseURL: firstUrl }), weight: 9, rpm: 500 })
    .register("second", { client: new OpenAI({ apiKey: "any", baseURL: secondUrl }), rpm: 50 })
  const server = createServer(async (request, response) => {
    const answer = await router.statusHandler(new Request(`http://localhost${request.url}`))
    response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text())
  })
  // An application's own port, which is in Prometheus' scrape_configs; 0 takes any that is free.
  await once(server.listen(0, "127.0.0.1"), "listening")
  const address = server.address()
  const port = typeof address === "object" ? address?.port : undefined

  await router.chat({ messages: [{ role: "user", content: "[answer with 4 tokens]" }] })
  const scraped = await fetch(`http://127.0.0.1:${port}/metrics`)
  console.log(scraped.headers.get("content-type"))
  for (const line of (await scraped.text()).split("\n")) {
    if (/^route_llm_(fallbacks|limit)/.test(line)) console.log(line)
  }
  server.close()
}

const program = Effect.gen(function*() {
  const first = yield* LoopbackVendor.make({ vendor: "openai", latency: noLatency })
  const second = yield* LoopbackVendor.make({ vendor: "openai", latency: noLatency })
  yield* first.setFault({ kind: "server_error", status: 503 })
  yield* Effect.promise(() => main(first.url, second.url))
})

await Effect.runPromise(Effect.scoped(program))
