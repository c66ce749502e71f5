import type { ChatRequest } from "@route-llm/core"
import type { Workload, WorkloadRequest } from "@route-llm/core/simulation"
import { Duration, Effect, FiberSet, Ref } from "effect"
import type { Sent, Strategy } from "./strategies.ts"

/** One request's fate, in the workload's time. */
export interface Played {
  readonly sent: Sent
  /** From its arrival to its end. */
  readonly totalMs: number
  /** Of that, before the call that answered. */
  readonly waitedMs: number
}

/** The vendors count a token for each four characters, and four for the message. */
const charactersPerToken = 4
const messageTokens = 4

const words = "the quick brown fox jumps over a lazy dog while many others look on and wonder what it is all about "
const prose = words.repeat(2_000)

/** A request of so many tokens that asks for an answer of so many. */
const toRequest = ({ inputTokens, outputTokens }: WorkloadRequest): ChatRequest => {
  const ask = ` [answer with ${outputTokens} tokens]`
  const length = Math.max(0, (inputTokens - messageTokens) * charactersPerToken - ask.length)
  return { messages: [{ role: "user", content: prose.slice(0, length) + ask }] }
}

/**
 * Sends the workload at its own pace, `speed` times as fast, whether or not earlier requests have ended: as users do.
 * `played` grows while it runs.
 */
export const play = (
  workload: Workload,
  strategy: Strategy,
  speed: number,
  played: Ref.Ref<ReadonlyArray<Played>>
): Effect.Effect<void> =>
  Effect.scoped(Effect.gen(function*() {
    const outcomes: Array<Played> = []
    yield* Ref.set(played, outcomes)
    const fibers = yield* FiberSet.make()
    const startMs = performance.now()
    const send = (request: WorkloadRequest) => {
      const arrivedMs = startMs + request.atMs / speed
      return Effect.map(strategy.send(toRequest(request)), (sent) => {
        const totalMs = performance.now() - arrivedMs
        const waitedMs = sent._tag === "Served" ? Math.max(0, totalMs - sent.latencyMs) : totalMs
        outcomes.push({ sent, totalMs: totalMs * speed, waitedMs: waitedMs * speed })
      })
    }
    for (const request of workload) {
      const dueMs = startMs + request.atMs / speed - performance.now()
      if (dueMs > 0) yield* Effect.sleep(Duration.millis(dueMs))
      yield* FiberSet.run(fibers, send(request))
    }
    yield* FiberSet.awaitEmpty(fibers)
  }))
