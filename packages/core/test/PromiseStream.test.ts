import { PromiseRouter } from "@route-llm/core"
import { failure, hang, pieces, RouterTest, type ScriptedProvider } from "@route-llm/core/testing"
import { Effect, ManagedRuntime } from "effect"
import { getEventListeners } from "node:events"
import { describe, expect, it } from "vitest"

const hello = { messages: [{ role: "user", content: "Hello" }] } as const

const over = (providers: Record<string, ScriptedProvider>, options: Parameters<typeof RouterTest.layer>[1] = {}) => {
  const runtime = ManagedRuntime.make(RouterTest.layer(providers, options))
  const router = new PromiseRouter(runtime)
  const underWay = () => runtime.runPromise(Effect.flatMap(RouterTest, (test) => test.underWay))
  return { router, underWay, [Symbol.asyncDispose]: () => router.close() }
}

const collect = async <A>(items: AsyncIterable<A>): Promise<Array<A>> => {
  const all: Array<A> = []
  for await (const item of items) all.push(item)
  return all
}

const rejection = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => "answered", (error) => error)

describe("PromiseStream", () => {
  it("is read by a loop", async () => {
    await using on = over({ a: { script: [pieces(["Roses ", "are ", "red"]), pieces(["x"])] } })
    expect(await collect(on.router.stream(hello))).toEqual(["Roses ", "are ", "red"])
    const parts = await collect(on.router.streamParts(hello))
    expect(parts.map(({ _tag }) => _tag)).toEqual(["Route", "Text", "Usage", "Finish"])
    expect(await on.underWay()).toBe(0)
  })

  it("of text never begins anew, whatever it is told", async () => {
    await using on = over({ a: { weight: 9, script: [pieces(["Roses "], { ends: "cut" })] }, b: {} })
    const options = { onInterrupt: "restart", signal: undefined } as const
    expect(await rejection(collect(on.router.stream(hello, options)))).toMatchObject({ _tag: "StreamInterrupted" })
  })

  it("sends nothing before it is read, and is read once", async () => {
    await using on = over({ a: {} })
    const stream = on.router.stream(hello)
    expect(await on.router.status()).toMatchObject({ a: { rpmUsed: 0 } })
    await collect(stream)
    expect(await collect(stream)).toEqual([])
    expect(await on.router.status()).toMatchObject({ a: { rpmUsed: 1 } })
  })

  it("that is left early ends the call", async () => {
    await using on = over({ a: { script: [pieces(["x", "y", "z"], { ends: "hang" })] } })
    for await (const text of on.router.stream(hello)) {
      if (text === "y") break
    }
    expect(await on.router.status()).toMatchObject({ a: { inFlight: 0, circuit: "closed" } })
  })

  it("rejects with the router's errors, and is over then", async () => {
    await using on = over({ a: { script: [pieces(["x"], { ends: "cut" }), failure("caller_fault")] } })
    const cut = on.router.stream(hello)
    expect(await cut.next()).toEqual({ done: false, value: "x" })
    expect(await rejection(cut.next())).toMatchObject({ _tag: "StreamInterrupted", received: { text: "x" } })
    expect(await cut.next()).toEqual({ done: true, value: undefined })
    expect(await rejection(on.router.stream(hello).next())).toMatchObject({ _tag: "AllProvidersFailed" })
  })

  it("may be asked ahead", async () => {
    await using on = over({ a: { script: [pieces(["x", "y"])] } })
    const stream = on.router.streamParts(hello)
    const asked = await Promise.all(Array.from({ length: 7 }, () => stream.next()))
    expect(asked.map(({ value }) => value?._tag)).toEqual(
      ["Route", "Text", "Text", "Usage", "Finish", undefined, undefined]
    )
  })

  it("announces a restart to those who asked for it", async () => {
    await using on = over({
      a: { weight: 9, script: [pieces(["x"], { ends: "cut" })] },
      b: { script: [pieces(["y"])] }
    })
    const parts = await collect(on.router.streamParts(hello, { onInterrupt: "restart" }))
    expect(parts.map(({ _tag }) => _tag)).toEqual(["Route", "Text", "Restart", "Route", "Text", "Usage", "Finish"])
  })
})

describe("a signal", () => {
  const reason = new Error("the user has left")

  it("aborted before anything is sent sends nothing", async () => {
    await using on = over({ a: {} })
    expect(await rejection(on.router.stream(hello, { signal: AbortSignal.abort(reason) }).next())).toBe(reason)
    expect(await on.router.status()).toMatchObject({ a: { rpmUsed: 0 } })
  })

  it("ends the wait for the beginning", async () => {
    await using on = over({ a: { script: [hang] } })
    const controller = new AbortController()
    const next = rejection(on.router.stream(hello, { signal: controller.signal }).next())
    while (await on.underWay() === 0) await Promise.resolve()
    controller.abort(reason)
    expect(await next).toBe(reason)
    expect(await on.router.status()).toMatchObject({ a: { inFlight: 0, circuit: "closed" } })
  })

  it("ends an answer in the middle, and leaves no listener", async () => {
    await using on = over({ a: { script: [pieces(["x", "y"], { ends: "hang" })] } })
    const controller = new AbortController()
    const stream = on.router.stream(hello, { signal: controller.signal })
    await stream.next()
    await stream.next()
    const next = rejection(stream.next())
    controller.abort(reason)
    expect(await next).toBe(reason)
    expect(await rejection(stream.next())).toBe(reason)
    expect(await on.router.status()).toMatchObject({ a: { inFlight: 0 } })
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(0)
  })

  it("has no listener left where nobody comes back to read", async () => {
    await using on = over({ a: { script: [pieces(["x", "y"], { ends: "hang" })] } }, { stream: { reader: 1 } })
    const { signal } = new AbortController()
    await on.router.stream(hello, { signal }).next()
    while (await on.underWay() > 0) await new Promise((resolve) => setImmediate(resolve))
    expect(getEventListeners(signal, "abort")).toHaveLength(0)
  })

  it("has no listener left after an answer that came whole", async () => {
    await using on = over({ a: {} })
    const { signal } = new AbortController()
    for (let turn = 0; turn < 5; turn++) await collect(on.router.stream(hello, { signal }))
    expect(getEventListeners(signal, "abort")).toHaveLength(0)
  })
})

describe("as a web stream", () => {
  it("can be read, and cancelling it ends the call", async () => {
    await using on = over({ a: { script: [pieces(["x", "y"]), pieces(["x", "y"], { ends: "hang" })] } })
    expect(await collect(on.router.stream(hello).toReadableStream())).toEqual(["x", "y"])
    const reader = on.router.stream(hello).toReadableStream().getReader()
    expect(await reader.read()).toEqual({ done: false, value: "x" })
    expect(await on.router.status()).toMatchObject({ a: { inFlight: 1 } })
    await reader.cancel()
    expect(await on.router.status()).toMatchObject({ a: { inFlight: 0 } })
  })

  const events = async (stream: ReadableStream<Uint8Array>) => (await new Response(stream).text()).split("\n\n")

  it("of server-sent events it holds parts as JSON, without what the vendor says beside them", async () => {
    const secret = { _tag: "Metadata", model: "m", raw: { account: "org-secret" } } as const
    await using on = over({ a: { script: [pieces(["line\nbreak", secret])] } })
    const all = await events(on.router.streamParts(hello).toEventStream())
    expect(all).toHaveLength(6)
    expect(all[1]).toBe("data: {\"_tag\":\"Text\",\"text\":\"line\\nbreak\"}")
    expect(all[2]).toBe("data: {\"_tag\":\"Metadata\",\"model\":\"m\"}")
    expect(JSON.parse(all[4]!.slice("data: ".length))).toMatchObject({ _tag: "Finish", provider: "a" })
  })

  it("of server-sent events it ends with the error, without the answer or its cause", async () => {
    await using on = over({ a: { script: [pieces(["x"], { ends: "network" })] } })
    const [text, error, end] = await events(on.router.stream(hello).toEventStream())
    expect(text).toBe("data: \"x\"")
    const [name, data] = error!.split("\n")
    expect(name).toBe("event: error")
    expect(JSON.parse(data!.slice("data: ".length))).toEqual({
      _tag: "StreamInterrupted",
      isRetryable: true,
      message: expect.stringContaining("The answer of a was cut off after 1 characters: network")
    })
    expect(end).toBe("")
  })
})
