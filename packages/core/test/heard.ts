/** What a router has told, as whoever is far away gets it: through JSON. */
import { expect } from "@effect/vitest"
import { type ChatRequest, Router, RouterEvent } from "@route-llm/core"
import { Effect, Schema, Stream, TestClock } from "effect"

const decode = Schema.decodeUnknownSync(RouterEvent, { onExcessProperty: "error" })

/** Absent and `undefined` are the same to a reader; through JSON only the first is left. */
const throughJson = (event: RouterEvent): RouterEvent => {
  const decoded = decode(JSON.parse(JSON.stringify(event)))
  expect(decoded).toEqual(event)
  return decoded
}

/** From now on; what has been told is there once the test's clock has moved. */
export const hearing = Effect.gen(function*() {
  const router = yield* Router
  const heard: Array<RouterEvent> = []
  yield* Effect.forkScoped(
    Stream.runForEach(router.events, (event) => Effect.sync(() => heard.push(throughJson(event))))
  )
  yield* TestClock.adjust(0)
  return heard
})

export const hello: ChatRequest = { messages: [{ role: "user", content: "Hello" }] }

export const chat = (request: Partial<ChatRequest> = {}) =>
  Effect.flatMap(Router, (router) => router.chat({ ...hello, ...request }))
