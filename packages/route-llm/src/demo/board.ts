/**
 * The demo's traffic on the dashboard: the four vendors, route-llm before them, and a bad hour now and then, until it is
 * ended.
 */
import * as HttpRouter from "@effect/platform/HttpRouter"
import { Router } from "@route-llm/core"
import type { AdapterName } from "@route-llm/providers"
import type { Fault } from "@route-llm/providers/testing"
import { Console, Duration, Effect, Ref } from "effect"
import { serveDashboard } from "../dashboard/serveDashboard.ts"
import { routes } from "../http/RouterHttp.ts"
import { play, type Played } from "./play.ts"
import { connectClients, routed, routeLlm } from "./strategies.ts"
import { demoVendors, startVendors, type Vendors } from "./vendors.ts"
import { loadWorkload, type WorkloadOptions } from "./workload.ts"

export interface BoardOptions extends WorkloadOptions {
  readonly speed: number
  readonly port: number | undefined
}

interface Trouble {
  readonly vendor: AdapterName
  readonly fault: Fault
  /** Before it begins, and how long it lasts; in minutes of the traffic. */
  readonly after: number
  readonly lasts: number
}

/** What happens to the vendors, over and over: on a good day there is little to see. */
const troubles: ReadonlyArray<Trouble> = [
  { vendor: "gemini", fault: { kind: "server_error", status: 503 }, after: 1, lasts: 1.5 },
  { vendor: "anthropic", fault: { kind: "overloaded" }, after: 3, lasts: 2 },
  { vendor: "openai", fault: { kind: "rate_limit", retryAfterMs: 20_000 }, after: 4, lasts: 0.1 },
  { vendor: "groq", fault: { kind: "slow", factor: 6 }, after: 2, lasts: 1.5 }
]

const makeTrouble = (vendors: Vendors, speed: number) => {
  const minutes = (count: number) => Effect.sleep(Duration.times(Duration.minutes(count), 1 / speed))
  return Effect.forEach(troubles, ({ after, fault, lasts, vendor }) =>
    Effect.gen(function*() {
      yield* minutes(after)
      yield* vendors.setFault(vendor, fault)
      yield* minutes(lasts)
      yield* vendors.setFault(vendor, undefined)
    }), { discard: true })
}

export const board = (options: BoardOptions) =>
  Effect.scoped(Effect.gen(function*() {
    const { port, seed, speed } = options
    const { source, workload } = yield* loadWorkload(options)
    const vendors = yield* startVendors({ vendors: demoVendors, speed, seed })
    const clients = yield* connectClients(vendors)
    return yield* Effect.gen(function*() {
      const strategy = yield* routeLlm
      const url = yield* serveDashboard({
        port,
        setup: { title: `Demo, ${source === "synthetic" ? "synthetic traffic" : source}`, speed },
        routes: HttpRouter.provideService(routes, Router, yield* Router)
      })
      yield* Console.log(`The dashboard is on ${url}, with traffic ${speed} times as fast as life. Ctrl-C ends it.`)
      yield* Effect.forkScoped(Effect.forever(makeTrouble(vendors, speed)))
      const played = yield* Ref.make<ReadonlyArray<Played>>([])
      return yield* Effect.forever(play(workload, strategy, speed, played))
    }).pipe(Effect.provide(routed(clients, speed)))
  }))
