/**
 * What the router adds to each batch of a streamed answer: as an `AsyncIterable` against bare iteration over the same
 * source, and as an Effect `Stream` against `Stream.fromAsyncIterable` over it; then the heap while a million batches
 * pass a reader that is slower than its vendor. The source costs nothing: the ratios are the worst that can be. Best of
 * several rounds; µs a batch.
 */
import {
  countEverything,
  PromiseRouter,
  type Provider,
  type ProviderPart,
  ProviderRegistry,
  Router,
  RouterLive,
  RouterState,
  type StreamPart
} from "@route-llm/core"
import { Effect, Layer, ManagedRuntime, Stream } from "effect"

const hello = { messages: [{ role: "user", content: "Hello" }] } as const
const finish: ReadonlyArray<ProviderPart> = [
  { _tag: "Usage", usage: { inputTokens: 10, outputTokens: 10 } },
  { _tag: "Finish", finishReason: "stop" }
]

/** As an SDK's stream: an async generator over events that are there already. */
async function* source(batches: number) {
  for (let index = 0; index < batches; index++) {
    const batch: ReadonlyArray<ProviderPart> = [{ _tag: "Text", text: "word " }]
    yield batch
  }
  yield finish
}

let batches = 0
const provider: Provider = {
  name: "instant",
  model: "instant-1",
  limits: {},
  weight: 1,
  counting: countEverything,
  chat: () => Effect.dieMessage("streams only"),
  stream: () => Effect.sync(() => source(batches))
}

const Live = RouterLive.pipe(
  Layer.provide(ProviderRegistry.provide(Effect.succeed(provider))),
  Layer.provide([ProviderRegistry.layer, RouterState.layerMemory])
)
const runtime = ManagedRuntime.make(Live)
const router = new PromiseRouter(runtime)

const drain = async (items: AsyncIterable<unknown>): Promise<number> => {
  let count = 0
  for await (const _ of items) count++
  return count
}

const runs = {
  "bare for await": () => drain(source(batches)),
  "router.stream (AsyncIterable)": () => drain(router.stream(hello)),
  "router.streamParts (AsyncIterable)": () => drain(router.streamParts(hello)),
  "Stream.fromAsyncIterable": () =>
    Effect.runPromise(Stream.runDrain(Stream.fromAsyncIterable(source(batches), (cause) => cause))),
  "router.stream (Effect Stream)": () =>
    runtime.runPromise(Effect.flatMap(Router, (service) => Stream.runDrain(service.stream(hello))))
} satisfies Record<string, () => Promise<unknown>>

type Name = keyof typeof runs

/** µs a batch. Everyone in turn in each round, so that a slow moment of the machine meets all alike. */
const measure = async (length: number): Promise<Record<Name, number>> => {
  batches = length
  const names = Object.keys(runs) as ReadonlyArray<Name>
  const best = Object.fromEntries(names.map((name) => [name, Infinity])) as Record<Name, number>
  const repeats = Math.ceil(20_000 / length)
  for (let round = 0; round < 15; round++) {
    for (const name of names) {
      const startedMs = performance.now()
      for (let turn = 0; turn < repeats; turn++) await runs[name]()
      best[name] = Math.min(best[name], 1e3 * (performance.now() - startedMs) / repeats / length)
    }
  }
  return best
}

const heapMb = (): number => {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed / 2 ** 20
}

/** The heap after so many batches, read by someone who pauses for a turn of the event loop now and then. */
const memory = async (): Promise<ReadonlyArray<string>> => {
  batches = 1_000_000
  const seen: Array<string> = []
  let count = 0
  for await (const part of router.streamParts(hello) as AsyncIterable<StreamPart>) {
    if (part._tag !== "Text") continue
    count++
    if (count % 1_000 === 0) await new Promise((resolve) => setImmediate(resolve))
    if (count % 250_000 === 0 || count === 1_000) seen.push(`${count}: ${heapMb().toFixed(1)} MB`)
  }
  return seen
}

for (const length of [100, 1_000]) {
  const best = await measure(length)
  console.log(`\n${length} batches an answer`)
  const against = (name: Name, base: Name, budget: string) =>
    console.log(
      `  ${name.padEnd(36)} ${best[name].toFixed(2).padStart(6)} µs   ${(best[name] / best[base]).toFixed(2)} × ${base}`
        + ` (budget ${budget})`
    )
  console.log(`  ${"bare for await".padEnd(36)} ${best["bare for await"].toFixed(2).padStart(6)} µs`)
  console.log(
    `  ${"Stream.fromAsyncIterable".padEnd(36)} ${best["Stream.fromAsyncIterable"].toFixed(2).padStart(6)} µs`
  )
  against("router.stream (AsyncIterable)", "bare for await", "1.6")
  against("router.streamParts (AsyncIterable)", "bare for await", "1.6")
  against("router.stream (Effect Stream)", "Stream.fromAsyncIterable", "1.3")
}
console.log(`\nheap while a million batches pass a slow reader: ${(await memory()).join(", ")}`)
await router.close()
