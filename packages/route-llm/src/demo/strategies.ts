import {
  type ChatRequest,
  type ChatResponse,
  MissingPackage,
  ProviderRegistry,
  Router,
  RouterLive,
  RouterOptions,
  RouterState
} from "@route-llm/core"
import { type Adapter, Anthropic, Gemini, Groq, makeProvider, OpenAi } from "@route-llm/providers"
import { Duration, Effect, Layer } from "effect"
import { demoVendors, type Vendors } from "./vendors.ts"

/** How one request ended. */
export type Sent =
  | { readonly _tag: "Served"; readonly provider: string; readonly latencyMs: number }
  | { readonly _tag: "Refused"; readonly reason: string }

export interface Strategy {
  readonly name: string
  readonly send: (request: ChatRequest) => Effect.Effect<Sent>
}

/** A client of the vendor's SDK; any key will do on loopback. */
const connect = <Client>(adapter: Adapter<Client>, { urls }: Vendors): Effect.Effect<Client, MissingPackage> =>
  Effect.tryPromise({
    try: () => adapter.connect({ apiKey: "demo", baseUrl: urls[adapter.name] }),
    catch: () => new MissingPackage({ package: adapter.packageName, neededFor: "The demo" })
  })

/** The four official SDK clients, as an application configures them. */
export const connectClients = (vendors: Vendors) =>
  Effect.all({
    openai: connect(OpenAi.adapter, vendors),
    anthropic: connect(Anthropic.adapter, vendors),
    gemini: connect(Gemini.adapter, vendors),
    groq: connect(Groq.adapter, vendors)
  })

export type Clients = Effect.Effect.Success<ReturnType<typeof connectClients>>

/**
 * What people write today: each client in order, the next one on any error. The SDKs' own retries are off, since
 * their pauses of seconds cannot be scaled to the demo's speed; on, they would send each refused call twice more.
 */
export const chain = ({ anthropic, gemini, groq, openai }: Clients): Strategy => {
  const calls = (request: ChatRequest): ReadonlyArray<readonly [string, () => Promise<unknown>]> => {
    const call = <Client>(adapter: Adapter<Client>, client: Client) => () =>
      adapter.chat(client, { request, model: adapter.defaultModel, signal: new AbortController().signal })
    return [
      ["openai", call(OpenAi.adapter, openai)],
      ["anthropic", call(Anthropic.adapter, anthropic)],
      ["gemini", call(Gemini.adapter, gemini)],
      ["groq", call(Groq.adapter, groq)]
    ]
  }
  const tryEach = async (request: ChatRequest): Promise<Sent> => {
    for (const [provider, call] of calls(request)) {
      const startedMs = performance.now()
      try {
        await call()
        return { _tag: "Served", provider, latencyMs: performance.now() - startedMs }
      } catch {
        // On to the next: this is what such chains do with every error.
      }
    }
    return { _tag: "Refused", reason: "every provider refused" }
  }
  return { name: "try/catch chain", send: (request) => Effect.promise(() => tryEach(request)) }
}

const served = ({ latencyMs, provider }: ChatResponse): Sent => ({ _tag: "Served", provider, latencyMs })

/** route-llm over the same clients, its times scaled as the vendors' are. */
export const routed = ({ anthropic, gemini, groq, openai }: Clients, speed: number) => {
  const limits = Object.fromEntries(demoVendors.map((vendor) => [
    vendor.name,
    { name: vendor.name, rpm: vendor.requestLimit, tpm: vendor.tokenLimit }
  ]))
  const providers = [
    makeProvider(OpenAi.adapter, { ...limits["openai"]!, client: openai }),
    makeProvider(Anthropic.adapter, { ...limits["anthropic"]!, client: anthropic }),
    makeProvider(Gemini.adapter, { ...limits["gemini"]!, client: gemini }),
    makeProvider(Groq.adapter, { ...limits["groq"]!, client: groq })
  ]
  const Providers = Layer.mergeAll(
    ProviderRegistry.provide(Effect.succeed(providers[0]!)),
    ...providers.slice(1).map((provider) => ProviderRegistry.provide(Effect.succeed(provider)))
  )
  const scaled = (ms: number) => ms / speed
  return RouterLive.pipe(
    Layer.provide(Providers),
    Layer.provide([ProviderRegistry.layer, RouterState.layerMemory]),
    Layer.provide(RouterOptions.layer({
      window: scaled(60_000),
      // A pause of this machine looks `speed` times as long to vendors whose minutes are that much shorter.
      transit: Duration.infinity,
      latency: { prior: scaled(500), ceiling: scaled(3_000), halfLife: scaled(60_000) },
      breaker: { cooldown: scaled(30_000), maxCooldown: scaled(300_000) },
      lookAhead: scaled(120_000),
      waiting: { maxWait: scaled(30_000), ageing: scaled(30_000), keepAfter: scaled(30_000) },
      timeout: scaled(300_000)
    }))
  )
}

export const routeLlm: Effect.Effect<Strategy, never, Router> = Effect.map(Router, (router) => ({
  name: "route-llm",
  send: (request) =>
    router.chat(request).pipe(
      Effect.match({ onSuccess: served, onFailure: ({ _tag }): Sent => ({ _tag: "Refused", reason: _tag }) })
    )
}))
