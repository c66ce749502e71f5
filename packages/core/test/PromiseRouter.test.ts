import { PromiseRouter, RouterState } from "@route-llm/core"
import { hang, RouterTest } from "@route-llm/core/testing"
import { Effect, Layer, Logger, LogLevel, ManagedRuntime } from "effect"
import { getEventListeners } from "node:events"
import { describe, expect, it } from "vitest"

const hello = { messages: [{ role: "user", content: "Hello" }] } as const

const routerOver = (...given: Parameters<typeof RouterTest.layer>) =>
  new PromiseRouter(ManagedRuntime.make(RouterTest.layer(...given)))

describe("PromiseRouter", () => {
  it("answers, and leaves no listener on a signal that lives on", async () => {
    await using router = routerOver({ a: {} })
    const { signal } = new AbortController()
    for (let turn = 0; turn < 20; turn++) {
      expect(await router.chat(hello, { signal })).toMatchObject({ provider: "a" })
    }
    expect(getEventListeners(signal, "abort")).toHaveLength(0)
  })

  it("rejects with the signal's reason, also one that was aborted before", async () => {
    await using router = routerOver({ a: { script: [hang] } })
    const controller = new AbortController()
    const reason = new Error("the user has left")
    const chat = router.chat(hello, { signal: controller.signal })
    controller.abort(reason)
    await expect(chat).rejects.toBe(reason)
    await expect(router.chat(hello, { signal: controller.signal })).rejects.toBe(reason)
    expect(await router.status()).toMatchObject({ a: { inFlight: 0, circuit: "closed" } })
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(0)
  })

  it("moves circuits by hand", async () => {
    await using router = routerOver({ a: { weight: 9 }, b: {} })
    await router.forceOpen("a", { for: "1 hour" })
    expect(await router.chat(hello)).toMatchObject({ provider: "b" })
    await router.forceClose("a")
    expect(await router.chat(hello)).toMatchObject({ provider: "a" })
    await expect(router.forceOpen("z")).rejects.toMatchObject({ _tag: "UnknownProvider" })
  })

  it("tells where a request would go, and the whole picture", async () => {
    await using router = routerOver({ a: {}, b: { weight: 9, tpm: 1_000 } })
    expect(await router.explain(hello)).toMatchObject({ chosen: "b", reason: "ranked" })
    expect(await router.explain(hello, { inputTokens: 5_000 })).toMatchObject({ chosen: "a", inputTokens: 5_000 })
    await expect(router.explain({ ...hello, forceProvider: "z" })).rejects.toMatchObject({ _tag: "UnknownProvider" })
    expect((await router.chat({ ...hello, explain: true })).route?.attempts).toMatchObject([{ provider: "b" }])
    const { providers, totals } = await router.report()
    expect(providers.map(({ name }) => name)).toEqual(["a", "b"])
    expect(totals).toMatchObject({ requests: 1, served: 1, tpmUsed: 20 })
  })

  it("says that the state cannot be looked at as it says that it cannot be asked", async () => {
    const Gone = Layer.effect(
      RouterState,
      Effect.map(RouterState, (state) => {
        const gone = Effect.die(new Error("the store is gone"))
        return { ...state, reserve: () => gone, snapshot: () => gone, explain: () => gone }
      })
    ).pipe(Layer.provide(RouterState.layerMemory), Layer.provide(Logger.minimumLogLevel(LogLevel.None)))
    await using router = routerOver({ a: {} }, {}, Gone)
    for (
      const ask of [() => router.chat(hello), () => router.explain(hello), () => router.status(), () => router.report()]
    ) {
      await expect(ask()).rejects.toMatchObject({ _tag: "StateUnavailable", cause: { message: "the store is gone" } })
    }
  })

  it("says so when it is used after it was closed", async () => {
    const router = routerOver({ a: {} })
    await router.close()
    await expect(router.chat(hello)).rejects.toMatchObject({ _tag: "RouterClosed" })
  })
})
