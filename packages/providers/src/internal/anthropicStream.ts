import type { ProviderPart, Usage } from "@route-llm/core"
import type { Asked } from "../Adapter.ts"
import { InBandError } from "./answer.ts"
import { finishReasons, usageOf } from "./anthropicMessages.ts"
import { at, isRecord, saysMore, text } from "./json.ts"
import { type Batch, finish, nothing, type StreamReader } from "./providerStream.ts"
import { madeId, written } from "./tools.ts"

type Fields = Readonly<Record<string, unknown>>

/** A call whose pieces are coming. `input` is what the block began with: whole, where an imitation sends no pieces. */
interface Call {
  readonly index: number
  readonly input: unknown
  isEmpty: boolean
}

const ofDelta = new Set(["stop_reason"])

const without = (fields: unknown): Fields =>
  isRecord(fields) ? Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null)) : {}

const show = (event: Fields): Batch => [{ _tag: "Metadata", raw: event }]

/**
 * The events of a message. Their usage is told in two places: what was read at the start, what was written at the end,
 * each as counted up to there. The vendor has said all with `message_stop`.
 *
 * Shown as `Metadata`: the message's beginning, blocks and deltas that are neither text, thinking nor a call (citations,
 * signatures, what the vendor's own tools do), and what is said of the end beside its reason.
 */
class EventReader implements StreamReader {
  readonly #asked: Asked
  #model: string | undefined
  #id: unknown
  #counted: Fields = {}
  #usage: Usage | undefined
  #stopReason: string | undefined
  #isEmpty = true
  #calls = 0
  /** By the block's index. */
  readonly #open = new Map<unknown, Call>()

  constructor(asked: Asked) {
    this.#asked = asked
  }

  read(event: unknown): Batch {
    if (!isRecord(event)) return nothing
    switch (event.type) {
      case "content_block_delta":
        return isRecord(event.delta) ? this.#delta(event, event.delta) : nothing
      case "message_start":
        return this.#begin(event)
      case "content_block_start":
        return isRecord(event.content_block) ? this.#block(event, event.content_block) : nothing
      case "content_block_stop":
        return this.#close(event.index)
      case "message_delta":
        return this.#last(event)
      case "message_stop":
        return [this.#finish()]
      case "error":
        throw new InBandError(event)
      case "ping":
        return nothing
      default:
        return show(event)
    }
  }

  /** Without `message_stop` the answer has no end. */
  end(): Batch {
    return nothing
  }

  #begin(event: Fields): Batch {
    this.#model = text(at(event, "message", "model"))
    this.#id = at(event, "message", "id")
    return [{ _tag: "Metadata", model: this.#model, raw: event }, ...this.#count(at(event, "message", "usage"))]
  }

  #count(usage: unknown): Batch {
    this.#counted = { ...this.#counted, ...without(usage) }
    const counted = usageOf({ usage: this.#counted })
    if (counted === undefined || !isRecord(usage)) return nothing
    this.#usage = counted
    return [{ _tag: "Usage", usage: counted }]
  }

  #block(event: Fields, block: Fields): Batch {
    if (block.type === "tool_use") return this.#call(event, block)
    if (block.type === "text") return this.#said("Text", block.text)
    if (block.type === "thinking") return this.#said("Reasoning", block.thinking)
    return show(event)
  }

  /** What has no name cannot be called. */
  #call(event: Fields, block: Fields): Batch {
    const name = text(block.name)
    if (name === undefined) return show(event)
    const index = this.#calls++
    this.#open.set(event.index, { index, input: block.input, isEmpty: true })
    const id = text(block.id) ?? madeId(index, { id: this.#id, request: this.#asked.request })
    return [{ _tag: "ToolCall", index, id, name, arguments: "" }]
  }

  #delta(event: Fields, delta: Fields): Batch {
    if (delta.type === "text_delta") return this.#said("Text", delta.text)
    if (delta.type === "thinking_delta") return this.#said("Reasoning", delta.thinking)
    const call = delta.type === "input_json_delta" ? this.#open.get(event.index) : undefined
    // Of another kind, or the input of a tool that the vendor runs itself.
    if (call === undefined) return show(event)
    const json = text(delta.partial_json) ?? ""
    if (json === "") return nothing
    call.isEmpty = false
    return [{ _tag: "ToolCall", index: call.index, arguments: json }]
  }

  #said(tag: "Text" | "Reasoning", words: unknown): Batch {
    if (typeof words !== "string" || words === "") return nothing
    this.#isEmpty = false
    return [{ _tag: tag, text: words }]
  }

  /** A call without arguments has those of a whole answer. */
  #close(index: unknown): Batch {
    const call = this.#open.get(index)
    if (call === undefined) return nothing
    this.#open.delete(index)
    return call.isEmpty ? [{ _tag: "ToolCall", index: call.index, arguments: written(call.input) }] : nothing
  }

  #last(event: Fields): Batch {
    this.#stopReason = text(at(event, "delta", "stop_reason")) ?? this.#stopReason
    return [...(saysMore(event.delta, ofDelta) ? show(event) : []), ...this.#count(event.usage)]
  }

  #finish(): ProviderPart {
    const seen = {
      isEmpty: this.#isEmpty && this.#calls === 0,
      calls: this.#calls,
      model: this.#model ?? this.#asked.model,
      usage: this.#usage
    }
    return finish(finishReasons[this.#stopReason ?? ""] ?? "other", seen)
  }
}

export const reader = (asked: Asked): StreamReader => new EventReader(asked)
