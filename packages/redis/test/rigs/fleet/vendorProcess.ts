/**
 * The process of the vendors: a server that takes everything, refuses nothing, and writes down when each call came and
 * ended. Who exceeds a limit is found out from that, not by what is told to the fleet.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { type Arrival, type Call, epochMs, type VendorsHear, type VendorsSay } from "./protocol.ts"

type Writable<A> = { -readonly [Key in keyof A]: A[Key] }

const arrivals: Array<Writable<Arrival>> = []
let answered = 0
let ended = 0
let isWatched = false

const say = (message: VendorsSay): void => void process.send?.(message)

const changed = (): void => {
  if (isWatched) say({ _tag: "Counted", arrived: arrivals.length, answered, ended })
}

const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
  // The moment that counts is the one at which the vendor first hears of it.
  const arrivedMs = epochMs()
  const chunks: Array<Buffer> = []
  for await (const chunk of request) chunks.push(chunk)
  const asked: Call = JSON.parse(Buffer.concat(chunks).toString("utf8"))
  const arrival: Writable<Arrival> = { ...asked, vendor: request.url?.slice(1) ?? "", arrivedMs, answered: false }
  arrivals.push(arrival)
  const timer = setTimeout(() => {
    arrival.answered = true
    answered++
    response.setHeader("content-type", "application/json")
    response.end(JSON.stringify({ inputTokens: asked.inputTokens, outputTokens: asked.outputTokens }))
    // Before the caller can have heard of it.
    end(arrival)
  }, asked.latencyMs)
  response.on("close", () => {
    clearTimeout(timer)
    end(arrival)
  })
  changed()
}

const end = (arrival: Writable<Arrival>): void => {
  if (arrival.endedMs !== undefined) return
  arrival.endedMs = epochMs()
  ended++
  changed()
}

const server = createServer((request, response) => {
  // A caller that is killed while it sends has not asked for anything.
  serve(request, response).catch(() => response.destroy())
})
server.keepAliveTimeout = 0
server.listen(0, "127.0.0.1", () => {
  const address = server.address()
  if (typeof address === "object" && address !== null) say({ _tag: "Ready", url: `http://127.0.0.1:${address.port}` })
})

process.on("message", ({ _tag }: VendorsHear) => {
  if (_tag === "Tell") return say({ _tag: "Seen", arrivals })
  isWatched = true
  changed()
})
process.on("disconnect", () => process.exit(0))
