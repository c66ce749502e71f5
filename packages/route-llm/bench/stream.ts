/**
 * What the router adds to each chunk of a streamed answer: as an `AsyncIterable` against bare iteration over the same
 * source, and as an Effect `Stream` against `Stream.fromAsyncIterable` over it. Once over the official OpenAI SDK, whose
 * `fetch` answers from memory, so that the SDK's own work is all there is beside ours; and once over an async generator
 * that costs nothing, which is the worst that can be. Then the heap while a million chunks pass a slow reader. The best
 * of several rounds, µs a chunk.
 */
import {
  countEverything,
  PromiseRouter,
  type Provider,
  type ProviderPart,
  ProviderRegistry,
  Router,
  RouterLive,
  RouterState
} from "@route-llm/core"
import { OpenAi } from "@route-llm/providers"
import { Effect, Layer, ManagedRuntime, Stream } from "effect"
import OpenAI from "openai"

const hello = { messages: [{ role: "user" as const, content: "Hello" }] }

let chunks = 0

const chunk = (choices: ReadonlyArray<object>, rest = {}) =>
  `data: ${
    JSON.stringify({ id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: "m", choices, ...rest })
  }\n\n`

const sse = (length: number): Uint8Array => {
  const choice = (delta: object, reason: string | null) => [{ index: 0, delta, logprobs: null, finish_reason: reason }]
  const words = chunk(choice({ content: "word " }, null)).repeat(length)
  const usage = { prompt_tokens: 10, completion_tokens: length, total_tokens: length + 10 }
  return new TextEncoder().encode(`${words}${chunk(choice({}, "stop"))}${chunk([], { usage })}data: [DONE]\n\n`)
}

/** As the network delivers it: a few chunks at a time. */
const body = (bytes: Uint8Array): ReadableStream<Uint8Array> => {
  let at = 0
  return new ReadableStream({
    pull: (controller) => {
      if (at >= bytes.length) return controller.close()
      controller.enqueue(bytes.subarray(at, at += 1_024))
    }
  })
}

const answers = new Map([100, 1_000].map((length) => [length, sse(length)]))

const client = new OpenAI({
  apiKey: "k",
  fetch: async () =>
    new Response(body(answers.get(chunks) ?? sse(chunks)), { headers: { "content-type": "text/event-stream" } })
})

async function* words() {
  for (let index = 0; index < chunks; index++) {
    const batch: ReadonlyArray<ProviderPart> = [{ _tag: "Text", text: "word " }]
    yield batch
  }
  const end: ReadonlyArray<ProviderPart> = [
    { _tag: "Usage", usage: { inputTokens: 10, outputTokens: 10 } },
    { _tag: "Finish", finishReason: "stop" }
  ]
  yield end
}

const inMemory: Provider = {
  name: "in-memory",
  model: "m",
  limits: {},
  weight: 1,
  counting: countEverything,
  chat: () => Effect.dieMessage("streams only"),
  stream: () => Effect.sync(words)
}

const routerOver = (provider: Effect.Effect<Provider>) =>
  ManagedRuntime.make(RouterLive.pipe(
    Layer.provide(ProviderRegistry.provide(provider)),
    Layer.provide([ProviderRegistry.layer, RouterState.layerMemory])
  ))

const drain = async (items: AsyncIterable<unknown>): Promise<void> => {
  for await (const _ of items);
}

interface Source {
  readonly title: string
  readonly bare: () => Promise<AsyncIterable<unknown>>
  readonly runtime: ReturnType<typeof routerOver>
}

const sources: ReadonlyArray<Source> = [
  {
    title: "the openai SDK",
    bare: () =>
      client.chat.completions.create({
        model: "m",
        ...hello,
        stream: true,
        stream_options: { include_usage: true }
      }),
    runtime: routerOver(Effect.orDie(OpenAi.make({ name: "openai", client })))
  },
  { title: "an async generator", bare: async () => words(), runtime: routerOver(Effect.succeed(inMemory)) }
]

const runsOver = ({ bare, runtime }: Source) => {
  const router = new PromiseRouter(runtime)
  return {
    "bare for await": async () => drain(await bare()),
    "router.stream (AsyncIterable)": () => drain(router.stream(hello)),
    "router.streamParts (AsyncIterable)": () => drain(router.streamParts(hello)),
    "Stream.fromAsyncIterable": async () =>
      Effect.runPromise(Stream.runDrain(Stream.fromAsyncIterable(await bare(), (cause) => cause))),
    "router.stream (Effect)": () =>
      runtime.runPromise(Effect.flatMap(Router, (service) => Stream.runDrain(service.stream(hello))))
  } satisfies Record<string, () => Promise<unknown>>
}

/** µs a chunk. Everyone in turn in each round, so that a slow moment of the machine meets all alike. */
const measure = async (source: Source): Promise<ReadonlyMap<string, number>> => {
  const runs = Object.entries(runsOver(source))
  const best = new Map(runs.map(([name]) => [name, Infinity]))
  const repeats = Math.ceil(10_000 / chunks)
  for (let round = 0; round < 12; round++) {
    for (const [name, run] of runs) {
      const startedMs = performance.now()
      for (let turn = 0; turn < repeats; turn++) await run()
      best.set(name, Math.min(best.get(name)!, 1e3 * (performance.now() - startedMs) / repeats / chunks))
    }
  }
  return best
}

const bases: Readonly<Record<string, readonly [base: string, budget: number]>> = {
  "router.stream (AsyncIterable)": ["bare for await", 1.6],
  "router.streamParts (AsyncIterable)": ["bare for await", 1.6],
  "router.stream (Effect)": ["Stream.fromAsyncIterable", 1.3]
}

for (const source of sources) {
  for (chunks of [100, 1_000]) {
    const best = await measure(source)
    console.log(`\n${chunks} chunks an answer, over ${source.title}`)
    for (const [name, us] of best) {
      const [base, budget] = bases[name] ?? []
      const ratio = base === undefined
        ? ""
        : `${(us / best.get(base)!).toFixed(2)} × ${base} (budget ${budget}), +${(us - best.get(base)!).toFixed(2)} µs`
      console.log(`  ${name.padEnd(36)} ${us.toFixed(2).padStart(6)} µs   ${ratio}`.trimEnd())
    }
  }
}

const heapMb = (): number => {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed / 2 ** 20
}

chunks = 1_000_000
const seen: Array<string> = []
let count = 0
for await (const _ of new PromiseRouter(sources[1]!.runtime).stream(hello)) {
  count++
  if (count % 1_000 === 0) await new Promise((resolve) => setImmediate(resolve))
  if (count % 250_000 === 0 || count === 1_000) seen.push(`${count}: ${heapMb().toFixed(1)} MB`)
}
console.log(`\nheap while a million chunks pass a slow reader: ${seen.join(", ")}`)
for (const { runtime } of sources) await runtime.dispose()
