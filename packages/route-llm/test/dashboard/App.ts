import type { RouterEvent, StatusReport } from "@route-llm/core"
import { createServer, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { report, row } from "../command/reports.ts"

/** An app of the test's own hand: its `/events` say what the test says, when it says it. */
export class App {
  #server: Server | undefined
  readonly #readers = new Set<ServerResponse>()
  #port = 0
  #newest: object | undefined

  static async start(): Promise<App> {
    const app = new App()
    await app.restart()
    return app
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** Listens again, on the port that it had. */
  async restart(): Promise<void> {
    const server = createServer((_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" })
      this.#readers.add(response)
      response.on("close", () => this.#readers.delete(response))
      response.write(this.#newest === undefined ? ": here\n\n" : frame("status", this.#newest))
    })
    this.#server = server
    await new Promise<void>((resume) => server.listen(this.#port, "127.0.0.1", resume))
    this.#port = (server.address() as AddressInfo).port
  }

  async stop(): Promise<void> {
    const server = this.#server
    if (server === undefined) return
    this.#server = undefined
    await new Promise<void>((resume) => {
      server.close(() => resume())
      server.closeAllConnections()
    })
  }

  /** Also what a page that comes later sees first; any object, as an application of another version may send. */
  report(newest: object): void {
    this.#newest = newest
    this.#write(frame("status", newest))
  }

  tell(...events: ReadonlyArray<RouterEvent>): void {
    this.#write(events.map((event) => frame(event._tag, event)).join(""))
  }

  /** In place of a report, as long as there is none. */
  unavailable(data: unknown): void {
    this.#write(frame("unavailable", data))
  }

  #write(text: string): void {
    for (const reader of this.#readers) reader.write(text)
  }
}

const frame = (event: string, data: unknown): string => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`

export type Row = StatusReport["providers"][number]

export const startedAt = Date.UTC(2026, 10, 25, 12)

/** A report so many seconds after the start. */
export const reportAt = (seconds: number, ...rows: ReadonlyArray<Partial<Row>>): StatusReport => ({
  ...report(...rows.map((changes) => row(changes))),
  startedAt,
  timestamp: startedAt + seconds * 1_000
})

type Of<Tag> = Extract<RouterEvent, { readonly _tag: Tag }>

/** A route that ended so many seconds after the start, without a call. */
export const endedAt = (
  seconds: number,
  outcome: Of<"RouteEnded">["outcome"],
  changes: Partial<Of<"RouteEnded">> = {}
): RouterEvent => ({
  _tag: "RouteEnded",
  outcome,
  attempts: 0,
  latencyMs: 30_000,
  waitedMs: 30_000,
  timestamp: startedAt + seconds * 1_000,
  priority: "normal",
  ...changes
})

/** An attempt that ended so many seconds after the start. */
export const attemptAt = (
  seconds: number,
  changes: Partial<Of<"RouteEvent">> = {}
): RouterEvent => ({
  _tag: "RouteEvent",
  outcome: "success",
  provider: "openai",
  model: "gpt-5.4",
  reason: "ranked",
  inputTokens: 1_000,
  outputTokens: 200,
  latencyMs: 1_500,
  waitedMs: 0,
  headroomPct: 37.6,
  circuitOpen: false,
  timestamp: startedAt + seconds * 1_000,
  attemptNumber: 1,
  priority: "normal",
  ...changes
})
