import type {
  ChatMessage,
  ChatRequest,
  ContentPart,
  FinishReason,
  ProviderResponse,
  ToolCall,
  Usage
} from "@route-llm/core"
import type { Answered, Asked, ChatCall } from "../Adapter.ts"
import { answer, InBandError, unreadable } from "./answer.ts"
import { at, count, isRecord, list, text } from "./json.ts"
import { textsOf } from "./messages.ts"
import { madeId, offerOf, withCalls, written } from "./tools.ts"
import { withResponse } from "./withResponse.ts"

interface Call {
  id: string
  type: "function"
  function: { name: string; arguments: string }
}

interface Tool {
  type: "function"
  function: { name: string; description?: string; parameters?: Record<string, unknown> }
}

/** The chat completions format, which OpenAI and Groq share and gateways imitate. */
export interface Body {
  model: string
  messages: Array<Message>
  max_tokens?: number
  max_completion_tokens?: number
  temperature?: number
  top_p?: number
  stop?: string | Array<string>
  tools?: Array<Tool>
  tool_choice?: "auto" | "none" | "required" | { type: "function"; function: { name: string } }
  stream?: true
  stream_options?: { include_usage: true }
}

type TextPart = { type: "text"; text: string }

type Part = TextPart | { type: "image_url"; image_url: { url: string; detail?: "auto" | "low" | "high" } }

type Message =
  | { role: "system"; content: string | Array<TextPart> }
  | { role: "assistant"; content: string | Array<TextPart> | null; tool_calls?: Array<Call> }
  | { role: "user"; content: string | Array<Part> }
  | { role: "tool"; content: string; tool_call_id: string }

/** The request options of a Stainless SDK that are used here. */
interface CallOptions {
  readonly signal: AbortSignal
  readonly maxRetries: number
}

/** The part of a client that is used. */
export interface ChatCompletionsClient {
  readonly chat: {
    readonly completions: {
      create(body: Body, options: CallOptions): PromiseLike<unknown>
    }
  }
  readonly baseURL?: string
}

const part = (given: ContentPart): Part => {
  if (given.type === "text") return { type: "text", text: given.text }
  const { detail, url } = given.image_url
  return { type: "image_url", image_url: { url, ...(detail === undefined ? {} : { detail }) } }
}

const textual = (given: ChatMessage): string | Array<TextPart> =>
  typeof given.content === "string" ? given.content : textsOf(given).map((text) => ({ type: "text", text }))

const message = (given: ChatMessage): Message => {
  switch (given.role) {
    case "system":
      return { role: "system", content: textual(given) }
    case "user":
      return { role: "user", content: typeof given.content === "string" ? given.content : given.content.map(part) }
    case "tool":
      return { role: "tool", content: given.content, tool_call_id: given.tool_call_id }
    case "assistant": {
      if (given.tool_calls === undefined) return { role: "assistant", content: textual(given) }
      // OpenAI itself answers a call with null; an empty text beside calls is refused by some that imitate it.
      const isEmpty = textsOf(given).every((words) => words === "")
      return {
        role: "assistant",
        content: isEmpty ? null : textual(given),
        tool_calls: given.tool_calls.map(({ function: { arguments: json, name }, id }) => ({
          id,
          type: "function",
          function: { name, arguments: json }
        }))
      }
    }
  }
}

const offered = (request: ChatRequest): Pick<Body, "tools" | "tool_choice"> => {
  const offer = offerOf(request)
  if (offer === undefined) return {}
  const { choice } = offer
  return {
    tools: offer.tools.map(({ function: { description, name, parameters } }) => ({
      type: "function",
      function: {
        name,
        ...(description === undefined ? {} : { description }),
        ...(parameters === undefined ? {} : { parameters: { ...parameters } })
      }
    })),
    ...(choice === undefined
      ? {}
      : { tool_choice: typeof choice === "string" ? choice : { type: "function", function: { ...choice.function } } })
  }
}

/** What a vendor or model takes. */
export interface Dialect {
  readonly maxTokensField: "max_tokens" | "max_completion_tokens"
  /** `temperature` and `top_p`. */
  readonly takesSampling: boolean
}

export const bodyOf = ({ model, request }: Asked, dialect: Dialect): Body => ({
  model,
  messages: request.messages.map(message),
  ...(request.maxTokens === undefined ? {} : { [dialect.maxTokensField]: request.maxTokens }),
  ...(request.temperature === undefined || !dialect.takesSampling ? {} : { temperature: request.temperature }),
  ...(request.topP === undefined || !dialect.takesSampling ? {} : { top_p: request.topP }),
  ...(request.stop === undefined
    ? {}
    : { stop: typeof request.stop === "string" ? request.stop : [...request.stop] }),
  ...offered(request)
})

export const finishReasons: Readonly<Record<string, FinishReason>> = {
  stop: "stop",
  length: "length",
  tool_calls: "tool_calls",
  function_call: "tool_calls",
  content_filter: "content_filter"
}

/** Some gateways answer in parts; only text is content. A refusal stands in for the content it replaces. */
const contentOf = (choice: unknown): string => {
  const content = at(choice, "message", "content")
  return text(content)
    ?? (Array.isArray(content)
      ? content.map((part) => text(at(part, "text")) ?? "").join("")
      : text(at(choice, "message", "refusal")) ?? "")
}

/** Calls of the request's functions; other kinds (`custom`) are not asked for. */
const callsOf = (choice: unknown, answer: { readonly id: unknown; readonly request: ChatRequest }) =>
  list(at(choice, "message", "tool_calls")).flatMap((call, index): Array<ToolCall> => {
    const name = text(at(call, "function", "name"))
    if (name === undefined) return []
    const id = text(at(call, "id")) ?? ""
    const json = written(at(call, "function", "arguments"))
    return [{ id: id === "" ? madeId(index, answer) : id, name, arguments: json }]
  })

export const usageOf = (raw: unknown): Usage | undefined => {
  const inputTokens = count(at(raw, "usage", "prompt_tokens"))
  const outputTokens = count(at(raw, "usage", "completion_tokens"))
  if (inputTokens === undefined || outputTokens === undefined) return undefined
  return {
    inputTokens,
    outputTokens,
    cachedInputTokens: count(at(raw, "usage", "prompt_tokens_details", "cached_tokens")),
    cacheWriteTokens: count(at(raw, "usage", "prompt_tokens_details", "cache_write_tokens"))
  }
}

export const read = (raw: unknown, { model, request }: Asked): ProviderResponse => {
  const choices = at(raw, "choices")
  // OpenRouter reports an upstream's failure under status 200.
  if (!Array.isArray(choices) && isRecord(at(raw, "error"))) throw new InBandError(at(raw, "error"))
  if (!Array.isArray(choices)) throw unreadable("a chat completion", raw)
  const choice = list(choices)[0]
  if (choice !== undefined && isRecord(at(choice, "error"))) throw new InBandError(at(choice, "error"))
  // Without a message there is no answer, however well the rest looks.
  if (!isRecord(at(choice, "message"))) throw unreadable("a chat completion with a message", raw)
  return answer({
    content: contentOf(choice),
    finishReason: finishReasons[text(at(choice, "finish_reason")) ?? ""] ?? "other",
    model: text(at(raw, "model")) ?? model,
    usage: usageOf(raw),
    ...withCalls(callsOf(choice, { id: at(raw, "id"), request })),
    raw
  })
}

export const chat = (client: ChatCompletionsClient, call: ChatCall, dialect: Dialect): Promise<Answered> =>
  withResponse(
    client.chat.completions.create(bodyOf(call, dialect), { signal: call.signal, maxRetries: 0 })
  )
