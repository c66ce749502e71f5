import { ProviderFailure } from "@route-llm/core"
import type { FinishReason, ProviderPart, Usage } from "@route-llm/core"
import type { Answered, Asked, ChatCall } from "../Adapter.ts"
import { InBandError } from "./answer.ts"
import { bodyOf, type ChatCompletionsClient, type Dialect, finishReasons, usageOf } from "./chatCompletions.ts"
import { at, count, isBlank, isRecord, list, saysMore, text } from "./json.ts"
import { type Batch, finish, nothing, type StreamReader } from "./providerStream.ts"
import { madeId } from "./tools.ts"
import { withResponse } from "./withResponse.ts"

/**
 * Clients whose server does not know `stream_options`. It is asked for everywhere else: without it OpenAI, Azure and
 * most that imitate them count nothing. Few refuse it (Fireworks and Databricks did, Azure before 2024-08).
 */
const withoutUsage = new WeakSet<ChatCompletionsClient>()

/** A 400 that names the field, or of which the SDK could not read why. */
const mayRefuseUsage = (thrown: unknown): boolean =>
  [400, 422].includes(count(at(thrown, "status")) ?? 0)
  && /stream_options|\(no body\)/.test(text(at(thrown, "message")) ?? "")

/** One call; two where the server turns out not to know the field that asks for the usage, once a client. */
export const stream = async (client: ChatCompletionsClient, call: ChatCall, dialect: Dialect): Promise<Answered> => {
  const open = (usage: { stream_options?: { include_usage: true } }) =>
    withResponse(
      client.chat.completions.create(
        { ...bodyOf(call, dialect), stream: true, ...usage },
        { signal: call.signal, maxRetries: 0 }
      )
    )
  if (withoutUsage.has(client)) return open({})
  try {
    return await open({ stream_options: { include_usage: true } })
  } catch (thrown) {
    if (!mayRefuseUsage(thrown)) throw thrown
    const answered = await open({})
    withoutUsage.add(client)
    return answered
  }
}

interface Call {
  readonly index: number
  readonly id: string
  isEmpty: boolean
}

/** Calls in pieces. They are told apart by index, or by id where a server leaves the index out. */
class Calls {
  readonly #asked: Asked
  readonly #byIndex = new Map<number, Call>()
  readonly #byId = new Map<string, Call>()
  readonly #all: Array<Call> = []

  constructor(asked: Asked) {
    this.#asked = asked
  }

  get count(): number {
    return this.#all.length
  }

  /** Like a whole answer's: what has no name is no call of a function. */
  read(piece: unknown, answerId: unknown): ProviderPart | undefined {
    const name = text(at(piece, "function", "name")) || undefined
    const id = text(at(piece, "id")) || undefined
    const index = count(at(piece, "index"))
    const given = at(piece, "function", "arguments")
    const json = text(given) ?? (isRecord(given) ? JSON.stringify(given) : "")
    const known = this.#known(index, id, name)
    // Some servers give every call the index 0, and some repeat id and name with every piece.
    if (name === undefined || (known !== undefined && (id === undefined || id === known.id))) {
      if (known === undefined || json === "") return undefined
      known.isEmpty = false
      return { _tag: "ToolCall", index: known.index, arguments: json }
    }
    const call = {
      index: this.#all.length,
      id: id ?? madeId(this.#all.length, { id: answerId, request: this.#asked.request }),
      isEmpty: json === ""
    }
    this.#all.push(call)
    this.#byId.set(call.id, call)
    if (index !== undefined) this.#byIndex.set(index, call)
    return { _tag: "ToolCall", index: call.index, id: call.id, name, arguments: json }
  }

  /** A call without arguments has those of a whole answer. */
  end(): Batch {
    return this.#all.filter(({ isEmpty }) => isEmpty)
      .map(({ index }) => ({ _tag: "ToolCall", index, arguments: "{}" }))
  }

  #known(index: number | undefined, id: string | undefined, name: string | undefined): Call | undefined {
    if (index !== undefined) return this.#byIndex.get(index)
    return (id === undefined ? undefined : this.#byId.get(id)) ?? (name === undefined ? this.#all.at(-1) : undefined)
  }
}

const ofChunk = new Set(
  "id object created model choices usage service_tier system_fingerprint obfuscation provider x_groq".split(" ")
)
const ofChoice = new Set("index delta finish_reason native_finish_reason logprobs".split(" "))
const ofDelta = new Set("role content refusal reasoning reasoning_content tool_calls function_call".split(" "))

/**
 * The chunks of a chat completion. A finish reason is held until the chunks have ended by themselves: what comes after
 * it is the usage, and a connection can break before that.
 *
 * A chunk is shown as `Metadata` where it is the first or the first to name the model, where its delta has fields that
 * are no content (annotations, images), and where it says more (citations, filter results) at its end: before that,
 * servers repeat it with every word.
 */
class ChunkReader implements StreamReader {
  readonly #model: string
  readonly #calls: Calls
  #answered: string | undefined
  #hasBegun = false
  #isEmpty = true
  #finishReason: FinishReason | undefined
  #usage: Usage | undefined

  constructor(asked: Asked) {
    this.#model = asked.model
    this.#calls = new Calls(asked)
  }

  read(event: unknown): Batch {
    if (!isRecord(event)) return nothing
    const choice = list(event.choices)[0]
    reported(event, choice)
    const parts: Array<ProviderPart> = []
    this.#metadata(event, choice, parts)
    if (isRecord(choice)) {
      if (isRecord(choice.delta)) this.#delta(choice.delta, event.id, parts)
      const reason = choice.finish_reason
      if (typeof reason === "string" && reason !== "") this.#finishReason = finishReasons[reason] ?? "other"
    }
    if (isRecord(event.usage) || isRecord(event.x_groq)) {
      const usage = usageOf(event) ?? usageOf(event.x_groq)
      if (usage !== undefined) parts.push({ _tag: "Usage", usage: this.#usage = usage })
    }
    return parts
  }

  end(): Batch {
    if (this.#finishReason === undefined) return nothing
    const { count: calls } = this.#calls
    const isEmpty = this.#isEmpty && calls === 0
    const seen = { isEmpty, calls, model: this.#answered ?? this.#model, usage: this.#usage }
    return [...this.#calls.end(), finish(this.#finishReason, seen)]
  }

  #metadata(event: Readonly<Record<string, unknown>>, choice: unknown, parts: Array<ProviderPart>): void {
    // Azure's first chunk has an empty one, and tells of the prompt only.
    const model = this.#answered === undefined ? text(event.model) || undefined : undefined
    const isLate = choice === undefined || (text(at(choice, "finish_reason")) ?? "") !== ""
    const isNews = !this.#hasBegun || model !== undefined
      || saysMore(at(choice, "delta"), ofDelta)
      || (isLate && (saysMore(event, ofChunk) || saysMore(choice, ofChoice)))
    if (!isNews) return
    this.#hasBegun = true
    this.#answered ??= model
    parts.push({ _tag: "Metadata", raw: event, ...(model === undefined ? {} : { model }) })
  }

  #delta(delta: Readonly<Record<string, unknown>>, answerId: unknown, parts: Array<ProviderPart>): void {
    const before = parts.length
    // vLLM has renamed the one to the other, and sends both.
    const reasoning = delta.reasoning_content ?? delta.reasoning
    if (typeof reasoning === "string" && reasoning !== "") parts.push({ _tag: "Reasoning", text: reasoning })
    const { content, refusal } = delta
    if (typeof content === "string") {
      if (content !== "") parts.push({ _tag: "Text", text: content })
    } else if (Array.isArray(content)) parts.push(...content.flatMap(inParts))
    if (typeof refusal === "string" && refusal !== "") parts.push({ _tag: "Text", text: refusal })
    if (parts.length > before) this.#isEmpty = false
    if (!Array.isArray(delta.tool_calls)) return
    for (const piece of delta.tool_calls) {
      const part = this.#calls.read(piece, answerId)
      if (part !== undefined) parts.push(part)
    }
  }
}

/** Mistral's models that think answer in parts. */
const inParts = (part: unknown): Batch => {
  const words = text(at(part, "text")) ?? ""
  const thought = list(at(part, "thinking")).map((inner) => text(at(inner, "text")) ?? "").join("")
  return [
    ...(thought === "" ? [] : [{ _tag: "Reasoning" as const, text: thought }]),
    ...(words === "" ? [] : [{ _tag: "Text" as const, text: words }])
  ]
}

/** The SDKs throw `error` themselves; what else servers put into a chunk when they break off they do not know. */
const reported = (event: Readonly<Record<string, unknown>>, choice: unknown): void => {
  const error = event.error ?? at(choice, "error") ?? at(event.x_groq, "error")
  if (!isBlank(error)) throw new InBandError(error)
  if (event.object === "error") throw new InBandError(event)
  if (at(choice, "finish_reason") === "error") {
    throw new ProviderFailure({ class: "transient", message: "The vendor ended the answer with an error." })
  }
}

export const reader = (asked: Asked): StreamReader => new ChunkReader(asked)
