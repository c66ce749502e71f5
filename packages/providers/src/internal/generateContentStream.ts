import { ProviderFailure } from "@route-llm/core"
import type { FinishReason, ProviderPart, Usage } from "@route-llm/core"
import type { Asked } from "../Adapter.ts"
import { blocked, InBandError } from "./answer.ts"
import { finishReasons, usageOf } from "./generateContent.ts"
import { at, isBlank, isRecord, list, saysMore, text } from "./json.ts"
import { type Batch, finish, nothing, type StreamReader } from "./providerStream.ts"
import { madeId, written } from "./tools.ts"

type Fields = Readonly<Record<string, unknown>>

const ofCandidate = new Set("content index finishReason tokenCount avgLogprobs safetyRatings".split(" "))
const ofPart = new Set("text thought functionCall".split(" "))

/**
 * The chunks of a Gemini answer. Google has no event for the end: a finish reason is held until the chunks have ended by
 * themselves, since more can come after it.
 *
 * A chunk is shown as `Metadata` where it is the first, where it has parts that are neither text nor a call or that are
 * signed, and where its candidate says more (citations, grounding). Safety ratings come with every chunk: they are in the
 * first that is shown, and in the last.
 */
class ChunkReader implements StreamReader {
  readonly #asked: Asked
  headers: unknown
  #model: string | undefined
  #hasBegun = false
  #isEmpty = true
  #calls = 0
  #finishReason: FinishReason | undefined
  #usage: Usage | undefined

  constructor(asked: Asked) {
    this.#asked = asked
  }

  read(event: unknown): Batch {
    if (!isRecord(event)) return nothing
    if (!isBlank(event.error)) throw new InBandError(event.error)
    const candidate = list(event.candidates)[0]
    const usage = isRecord(event.usageMetadata) ? usageOf(event) : undefined
    this.#usage = usage ?? this.#usage
    const parts: Array<ProviderPart> = []
    this.#metadata(event, candidate, parts)
    const reason = text(at(event.promptFeedback, "blockReason"))
    if (reason !== undefined && candidate === undefined) {
      throw blocked(this.#model ?? this.#asked.model, this.#usage, reason)
    }
    if (isRecord(candidate)) this.#candidate(candidate, event.responseId, parts)
    if (usage !== undefined) parts.push({ _tag: "Usage", usage })
    return parts
  }

  end(): Batch {
    if (this.#finishReason === undefined) return nothing
    const isEmpty = this.#isEmpty && this.#calls === 0
    const seen = { isEmpty, calls: this.#calls, model: this.#model ?? this.#asked.model, usage: this.#usage }
    return [finish(this.#finishReason, seen)]
  }

  /** The SDK writes "got status: UNAVAILABLE. " before the body of an error that came under status 200. */
  failure(thrown: unknown): unknown {
    const message = text(at(thrown, "message")) ?? ""
    if (message.startsWith("Incomplete JSON segment")) {
      return new ProviderFailure({ class: "truncated", message: "the answer ended within an event" })
    }
    const [, body] = /^got status: [^{]*(\{.*)$/s.exec(message) ?? []
    return body === undefined ? thrown : { status: at(thrown, "status"), message: body }
  }

  #metadata(event: Fields, candidate: unknown, parts: Array<ProviderPart>): void {
    const isLast = text(at(candidate, "finishReason")) !== undefined
    const isNews = !this.#hasBegun
      || saysMore(candidate, ofCandidate)
      || (isLast && !isBlank(at(candidate, "safetyRatings")))
      || list(at(candidate, "content", "parts")).some((part) => saysMore(part, ofPart))
    if (!isNews) return
    const model = this.#model === undefined ? text(event.modelVersion) : undefined
    if (!this.#hasBegun) this.headers = at(event, "sdkHttpResponse", "headers")
    this.#hasBegun = true
    this.#model ??= model
    parts.push({ _tag: "Metadata", raw: event, ...(model === undefined ? {} : { model }) })
  }

  #candidate(candidate: Fields, answerId: unknown, parts: Array<ProviderPart>): void {
    for (const part of list(at(candidate.content, "parts"))) {
      if (!isRecord(part)) continue
      if (typeof part.text === "string" && part.text !== "") {
        this.#isEmpty = false
        parts.push({ _tag: part.thought === true ? "Reasoning" : "Text", text: part.text })
      }
      const name = part.thought === true ? undefined : text(at(part.functionCall, "name"))
      if (name === undefined) continue
      const index = this.#calls++
      const id = text(at(part.functionCall, "id")) ?? madeId(index, { id: answerId, request: this.#asked.request })
      parts.push({ _tag: "ToolCall", index, id, name, arguments: written(at(part.functionCall, "args")) })
    }
    const reason = text(candidate.finishReason)
    if (reason !== undefined) this.#finishReason = finishReasons[reason] ?? "other"
  }
}

export const reader = (asked: Asked): StreamReader => new ChunkReader(asked)
