/**
 * When everything is full a request waits for the exact moment it fits: by lane, then by arrival. One whose time cannot
 * come before its deadline is told so at once. A scripted provider on a test clock stands in for a vendor.
 */
import { Router } from "@route-llm/core"
import { RouterTest } from "@route-llm/core/testing"
import { Clock, Console, type Duration, Effect, Layer, TestClock, TestContext } from "effect"

const ask = (
  name: string,
  request: { readonly priority?: "high" | "low"; readonly timeout?: Duration.DurationInput } = {}
) =>
  Effect.gen(function*() {
    const router = yield* Router
    yield* router.chat({ messages: [{ role: "user", content: "Hello" }], timeout: "5 minutes", ...request })
    yield* Console.log(`${(yield* Clock.currentTimeMillis) / 1000} s: ${name}`)
  })

const program = Effect.gen(function*() {
  yield* ask("first")
  yield* ask("second")
  yield* Effect.fork(ask("leisurely", { priority: "low" }))
  yield* Effect.fork(ask("patient"))
  yield* Effect.fork(ask("urgent", { priority: "high" }))
  const error = yield* Effect.flip(ask("hurried", { timeout: "10 seconds" }))
  yield* TestClock.adjust("3 minutes")
  yield* Console.log(`hurried: ${error.message}`)
})

const Live = RouterTest.layer({ only: { rpm: 2 } }).pipe(Layer.provideMerge(TestContext.TestContext))

await Effect.runPromise(Effect.provide(program, Live))
