import { LoopbackVendor, noLatency } from "@route-llm/providers/testing"
import { Effect, type Scope } from "effect"
import OpenAI from "openai"
import { LLMRouter, type LLMRouterOptions } from "route-llm"

export const hello = { messages: [{ role: "user" as const, content: "[answer with 3 tokens]" }] }

export const run = <A>(effect: Effect.Effect<A, unknown, Scope.Scope>) => Effect.runPromise(Effect.scoped(effect))

export const promised = <A>(make: () => Promise<A>) => Effect.tryPromise(make)

/** A router over one vendor on loopback, which is closed with the scope. */
export const makeApp = (options: LLMRouterOptions = {}) =>
  Effect.gen(function*() {
    const vendor = yield* LoopbackVendor.make({ vendor: "openai", latency: noLatency })
    const router = yield* Effect.acquireRelease(
      Effect.sync(() =>
        LLMRouter.fromConfig({ providers: [] }, { estimator: "heuristic", ...options })
          .register("openai", { client: new OpenAI({ apiKey: "k", baseURL: vendor.url }), rpm: 100, tpm: 10_000 })
      ),
      (made) => Effect.promise(() => made.close())
    )
    return { vendor, router }
  })

/** Server-sent events as they come. */
export interface Frame {
  readonly event: string
  readonly data: unknown
}

/** Reads the frames of an event stream one by one; the lines that are none of a frame's are in `others`. */
export const readFrames = (response: Response) => {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  const others: Array<string> = []
  let text = ""
  const next = async (): Promise<Frame | undefined> => {
    const end = text.indexOf("\n\n")
    if (end === -1) {
      const { done, value } = await reader.read()
      if (done) return undefined
      text += value
      return next()
    }
    const block = text.slice(0, end)
    text = text.slice(end + 2)
    const [, event, data] = /^event: (\w+)\ndata: (.*)$/.exec(block) ?? []
    if (event === undefined || data === undefined) {
      others.push(block)
      return next()
    }
    return { event, data: JSON.parse(data) }
  }
  /** The next frames up to the first that holds, which is the last. */
  const until = async (holds: (frame: Frame) => boolean): Promise<ReadonlyArray<Frame>> => {
    const frames: Array<Frame> = []
    for (;;) {
      const frame = await next()
      if (frame === undefined) throw new Error(`the stream ended after ${JSON.stringify(frames)}`)
      frames.push(frame)
      if (holds(frame)) return frames
    }
  }
  return { next, until, others, cancel: () => reader.cancel() }
}
