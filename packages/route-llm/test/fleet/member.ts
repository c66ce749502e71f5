/**
 * One process of a fleet, as an application would be: a router over the configuration and the Redis that it is given. It
 * says where it listens on its first line; `/chat` sends a request, `/own` is `router.status()`, everything else is
 * `router.statusHandler`.
 */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { LLMRouter } from "route-llm"
import { listener } from "../listener.ts"

const { namespace, ...config } = JSON.parse(process.argv[2] ?? "")
// A busy machine is no Redis that is away.
const redis = { namespace, commandTimeout: "5 seconds" } as const
const router = LLMRouter.fromConfig(config, { estimator: "heuristic", redis })

const serve = async (request: Request): Promise<Response> => {
  const { pathname } = new URL(request.url)
  if (pathname === "/own") return Response.json(await router.status())
  if (pathname !== "/chat") return await router.statusHandler(request)
  const { content: _, ...route } = await router.chat(await request.json())
  return Response.json(route)
}

const server = createServer(listener(serve))
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo
  console.log(`http://127.0.0.1:${port}`)
})
