import { type ChatRequest, type ChatResponse, ProviderRegistry, Router, RouterLive, RouterOptions, RouterState } from "@route-llm/core"
import { Anthropic, Gemini, Groq, makeProvider, OpenAi } from "@route-llm/providers"
import { Effect, Layer, Redacted } from "effect"
import { demoVendors, type Vendors } from "./vendors.ts"

/** How one request ended. */
export type Sent =
  | { readonly _tag: "Served"; readonly provider: string; readonly latencyMs: number }
  | { readonly _tag: "Refused"; readonly reason: string }

export interface Strategy {
  readonly name: string
  readonly send: (request: ChatRequest) => Effect.Effect<Sent>
}

/** Any key will do on loopback. */
const apiKey = Redacted.make("demo")

/** The four official SDK clients, as an application configures them. */
export const connectClients = ({ urls }: Vendors) =>
  Effect.all({
    openai: OpenAi.adapter.connect({ apiKey, baseUrl: urls["openai"] }),
    anthropic: Anthropic.adapter.connect({ apiKey, baseUrl: urls["anthropic"] }),
    gemini: Gemini.adapter.connect({ apiKey, baseUrl: urls["gemini"] }),
    groq: Groq.adapter.connect({ apiKey, baseUrl: urls["groq"] })
  })

export type Clients = Effect.Effect.Success<ReturnType<typeof connectClients>>

/**
 * What people write today: each client in order, the next one on any error. The SDKs' own retries are off, since
 * their pauses of seconds cannot be scaled to the demo's speed; on, they would send each refused call twice more.
 */
export const chain = ({ anthropic, gemini, groq, openai }: Clients): Strategy => {
  const calls = (text: string): ReadonlyArray<readonly [string, () => PromiseLike<unknown>]> => {
    const messages = [{ role: "user", content: text }]
    const options = { maxRetries: 0 }
    return [
      ["openai", () => openai.chat.completions.create({ model: "gpt-4o", messages }, options)],
      ["anthropic", () => anthropic.messages.create({ model: "claude-sonnet-4-5", messages, max_tokens: 4_096 }, options)],
      ["gemini", () =>
        gemini.models.generateContent({ model: "gemini-2.5-flash", contents: [{ role: "user", parts: [{ text }] }] })],
      ["groq", () => groq.chat.completions.create({ model: "llama-3.3-70b-versatile", messages }, options)]
    ]
  }
  const tryEach = async (text: string): Promise<Sent> => {
    for (const [provider, call] of calls(text)) {
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
  return { name: "try/catch chain", send: ({ messages }) => Effect.promise(() => tryEach(String(messages[0]?.content))) }
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
      transit: 250,
      latency: { prior: scaled(500), ceiling: scaled(3_000), halfLife: scaled(60_000) },
      breaker: { cooldown: scaled(30_000), maxCooldown: scaled(300_000) },
      lookAhead: scaled(120_000),
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
