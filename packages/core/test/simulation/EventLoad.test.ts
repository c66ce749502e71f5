import { countEverything, ProviderRegistry, Router, RouterLive, RouterMetrics, RouterState } from "@route-llm/core"
import { Chunk, Effect, Layer, Stream } from "effect"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { describe, expect, it } from "vitest"
import { chat } from "../heard.ts"
import { simulated } from "./routers.ts"

setFlagsFromString("--expose_gc")
const collectGarbage: () => void = runInNewContext("gc")

const heapBytes = (): number => {
  collectGarbage()
  return process.memoryUsage().heapUsed
}

const perSecond = 10_000

const Providers = Layer.scopedDiscard(Effect.gen(function*() {
  const { register } = yield* ProviderRegistry
  for (const name of ["a", "b"]) {
    yield* register({
      name,
      model: "m",
      limits: { requests: 10_000_000 },
      weight: 1,
      counting: countEverything,
      chat: () =>
        Effect.succeed({
          content: "here",
          finishReason: "stop",
          model: "m",
          usage: { inputTokens: 10, outputTokens: 10 },
          raw: {}
        })
    })
  }
}))

const Live = RouterLive.pipe(
  Layer.provide(Providers),
  Layer.provide([ProviderRegistry.layer, RouterState.layerMemory])
)

/** Traffic at that rate for so many hundredths of a second; how much of the processor it took, in ms. */
const traffic = Effect.fnUntraced(function*(hundredths: number) {
  const before = process.cpuUsage()
  for (let tick = 0; tick < hundredths; tick++) {
    for (let request = 0; request < perSecond / 100; request++) yield* chat()
    yield* Effect.sleep(10)
  }
  const { system, user } = process.cpuUsage(before)
  return (system + user) / 1_000
})

/** Subscribes, reads one event, and never again; until in the end it asks how much was kept for it. */
const neverReads = Effect.gen(function*() {
  const pull = yield* Stream.toPull((yield* Router).events)
  yield* Effect.fork(pull)
  yield* Effect.sleep(1)
  yield* chat()
  return { kept: Effect.map(pull, Chunk.size) }
})

describe("10,000 routes a second", () => {
  it("neither grow nor slow down where a subscriber never reads", { timeout: 120_000 }, () => {
    const found = simulated(
      Effect.gen(function*() {
        // Until it is warm.
        yield* traffic(30)
        const alone = yield* traffic(100)
        const subscribers = yield* Effect.all([neverReads, neverReads, neverReads])
        // Until all that is kept of events is full.
        yield* traffic(10)
        const before = heapBytes()
        const beside = yield* traffic(100)
        const grownBytes = heapBytes() - before
        const kept = yield* Effect.forEach(subscribers, ({ kept }) => kept)
        const { totals } = yield* (yield* Router).report
        return { alone, beside, grownBytes, kept, totals, text: yield* RouterMetrics.prometheus }
      }).pipe(Effect.scoped, Effect.provide(Live), Effect.orDie),
      1
    )
    console.log(
      `10,000 routes take ${found.alone.toFixed(0)} ms of processor, with 3 subscribers that never read `
        + `${found.beside.toFixed(0)} ms; the heap grew by ${(found.grownBytes / 1_024).toFixed(0)} KiB over them`
    )
    // Nothing was dropped to be so quick: all are counted, and the newest are there for whoever comes back.
    expect(found.totals).toMatchObject({ requests: 24_003, served: 24_003, inputTokens: 240_030 })
    expect(found.kept).toEqual([256, 256, 256])
    // A kept event of each route would be 5 MB.
    expect(found.grownBytes).toBeLessThan(1_500_000)
    // Within what the machine's noise makes of it; a subscriber that is waited for would make it endless.
    expect(found.beside).toBeLessThan(found.alone * 3 + 200)
  })
})
