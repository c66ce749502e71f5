/**
 * Two applications on one key, over the wire: the official OpenAI SDK against a vendor on loopback with 100 requests a
 * minute, its clock twenty times as fast. The router is one of the two, the other calls the vendor past it. Prints how
 * many of the router's calls meet a 429, with the vendor's headers read and without.
 */
import { type Provider, ProviderRegistry, Router, RouterLive, RouterOptions, RouterState } from "@route-llm/core"
import { OpenAi } from "@route-llm/providers"
import { LoopbackVendor } from "@route-llm/providers/testing"
import { Effect, FiberSet, Layer, Random } from "effect"
import OpenAI from "openai"

const speed = 20
const minutes = 6
const seed = 7

const request = (tokens: number) => ({
  messages: [{ role: "user" as const, content: `[answer with ${tokens} tokens]` }],
  timeout: 30_000 / speed
})

/** Poisson arrivals at this mean rate, in the vendor's minutes. */
const arrivals = (perMinute: number, send: Effect.Effect<void>) =>
  Effect.scoped(Effect.gen(function*() {
    const fibers = yield* FiberSet.make()
    for (let atMs = 0; atMs < minutes * 60_000;) {
      const gapMs = -Math.log(1 - (yield* Random.next)) * 60_000 / perMinute
      atMs += gapMs
      yield* Effect.sleep(gapMs / speed)
      yield* FiberSet.run(fibers, send)
    }
    yield* FiberSet.awaitEmpty(fibers)
  }))

const anyLength = Random.nextIntBetween(20, 220)

/** The provider, and what became of the calls to it. */
const observed = (provider: Provider, reads: boolean) => {
  const seen = { calls: 0, rateLimited: 0, served: 0 }
  const chat: Provider["chat"] = (given) =>
    provider.chat(given).pipe(
      Effect.map((response) => reads ? response : { ...response, limits: undefined }),
      Effect.mapError((failure) => reads ? failure : Object.assign(failure, { limits: undefined })),
      Effect.tapBoth({
        onSuccess: () => Effect.sync(() => (seen.calls++, seen.served++)),
        onFailure: () => Effect.sync(() => (seen.calls++, seen.rateLimited++))
      })
    )
  return { seen, provider: { ...provider, chat } }
}

const play = (ours: number, theirs: number, reads: boolean) =>
  Effect.scoped(Effect.gen(function*() {
    const vendor = yield* LoopbackVendor.make({ vendor: "openai", requestLimit: 100, tokenLimit: 100_000, speed, seed })
    const client = new OpenAI({ apiKey: "any", baseURL: vendor.url, maxRetries: 0 })
    const { provider, seen } = observed(
      yield* OpenAi.make({ name: "openai", client, model: "gpt-5.4", rpm: 100, tpm: 100_000 }),
      reads
    )
    const Live = RouterLive.pipe(
      Layer.provide(ProviderRegistry.provide(Effect.succeed(provider))),
      Layer.provide([ProviderRegistry.layer, RouterState.layerMemory]),
      Layer.provide(RouterOptions.layer({
        window: 60_000 / speed,
        // A pause of this machine looks twenty times as long to the vendor.
        transit: 50,
        latency: { prior: 500 / speed, ceiling: 3_000 / speed, halfLife: 60_000 / speed },
        lookAhead: 120_000 / speed
      }))
    )
    const routed = Effect.flatMap(Router, (router) =>
      arrivals(ours, Effect.flatMap(anyLength, (tokens) => Effect.ignore(router.chat(request(tokens))))))
    const other = arrivals(
      theirs,
      Effect.flatMap(anyLength, (tokens) => {
        const { messages } = request(tokens)
        return Effect.ignore(Effect.tryPromise(() =>
          client.chat.completions.create({ model: "gpt-5.4", messages })
        ))
      })
    )
    yield* Effect.all([Effect.provide(routed, Live), other], { concurrency: 2 })
    return seen
  })).pipe(Effect.withRandom(Random.make(seed)))

console.log(`${minutes} minutes at ${speed}×, 100 requests a minute for both, seed ${seed}\n`)
console.log("router wants  other wants  headers  calls  429s       share  served")
for (const [ours, theirs] of [[40, 50], [120, 20], [80, 50]] as const) {
  for (const reads of [true, false]) {
    const { calls, rateLimited, served } = await Effect.runPromise(play(ours, theirs, reads))
    console.log(
      `${String(ours).padStart(12)}  ${String(theirs).padStart(11)}  ${reads ? "read   " : "ignored"}  `
        + `${String(calls).padStart(5)}  ${String(rateLimited).padStart(4)}  `
        + `${(rateLimited / calls * 100).toFixed(2).padStart(8)} %  ${String(served).padStart(6)}`
    )
  }
}
