import type { ChatRequest, FinishReason, ProviderResponse, ToolCall, Usage } from "@route-llm/core"
import type { Asked } from "../Adapter.ts"
import { answer, unreadable } from "./answer.ts"
import { at, count, list, text } from "./json.ts"
import { imageSource, splitSystem, stopList, unsupported } from "./messages.ts"
import type { Turn } from "./messages.ts"
import { argumentsOf, madeId, offerOf, withCalls, written } from "./tools.ts"

const mediaTypes = ["image/jpeg", "image/png", "image/gif", "image/webp"] as const

type MediaType = typeof mediaTypes[number]

type Block =
  | { type: "text"; text: string }
  | {
    type: "image"
    source: { type: "base64"; media_type: MediaType; data: string } | { type: "url"; url: string }
  }
  | { type: "tool_use"; id: string; name: string; input: Record<string, unknown> }
  | { type: "tool_result"; tool_use_id: string; content: string }

type ToolChoice = { type: "auto" } | { type: "none" } | { type: "any" } | { type: "tool"; name: string }

/** A request for `messages.create`. */
export interface Body {
  model: string
  max_tokens: number
  messages: Array<{ role: "user" | "assistant"; content: Array<Block> }>
  system?: string
  stop_sequences?: Array<string>
  temperature?: number
  top_p?: number
  tools?: Array<{ name: string; description?: string; input_schema: { type: "object"; [key: string]: unknown } }>
  tool_choice?: ToolChoice
  stream?: true
}

const mediaType = (given: string): MediaType => {
  const known = mediaTypes.find((type) => type === given)
  if (known === undefined) throw unsupported(`Claude takes ${mediaTypes.join(", ")}, not ${given}.`)
  return known
}

const block = (part: Extract<Turn, { readonly role: "user" }>["parts"][number]): Block => {
  if (part.type === "text") return { type: "text", text: part.text }
  const source = imageSource(part.image_url.url)
  return {
    type: "image",
    source: source._tag === "Remote"
      ? { type: "url", url: source.url }
      : { type: "base64", media_type: mediaType(source.mediaType), data: source.data }
  }
}

const message = (turn: Turn): Body["messages"][number] => {
  switch (turn.role) {
    case "user":
      return { role: "user", content: turn.parts.map(block) }
    case "assistant": {
      const calls = turn.calls.map((call): Block => ({
        type: "tool_use",
        id: call.id,
        name: call.function.name,
        input: argumentsOf(call)
      }))
      return { role: "assistant", content: [...turn.parts.map(block), ...calls] }
    }
    case "tool":
      return {
        role: "user",
        content: turn.results.map(({ content, id }) => ({ type: "tool_result", tool_use_id: id, content }))
      }
  }
}

/**
 * Claude's version as one number, 4.5 as 405; `undefined` for a name without one, such as a preview's, which is newer
 * than those this knows. A name without "claude" belongs to another vendor behind Anthropic's format.
 */
const versionOf = (model: string): number | undefined => {
  const [, major, minor = "0"] = /claude-(?:[a-z]+-)?(\d+)(?:[-.](\d{1,2})(?!\d))?/i.exec(model) ?? []
  return major === undefined ? undefined : Number(major) * 100 + Number(minor)
}

/** Whether a model takes what those up to a version take; what imitates Claude takes what the format once had. */
const takesAsUpTo = (version: number, model: string): boolean =>
  !/claude/i.test(model) || (versionOf(model) ?? Infinity) <= version

const sampling = (request: ChatRequest, model: string): Pick<Body, "temperature" | "top_p"> => {
  if (!takesAsUpTo(406, model)) return {}
  if (request.temperature !== undefined) return { temperature: Math.min(1, request.temperature) }
  return request.topP === undefined ? {} : { top_p: request.topP }
}

type Offered = Pick<Body, "tools" | "tool_choice"> & { readonly told?: string }

/** "Requests which include `tool_use` or `tool_result` blocks must define tools", says the API's 400. */
const undeclared = (turns: ReadonlyArray<Turn>): Offered => {
  const names = new Set(
    turns.flatMap((turn) => turn.role === "assistant" ? turn.calls : []).map((call) => call.function.name)
  )
  return names.size === 0 ? {} : {
    tools: [...names].map((name) => ({ name, input_schema: { type: "object" } })),
    tool_choice: { type: "none" }
  }
}

const offered = (request: ChatRequest, turns: ReadonlyArray<Turn>, model: string): Offered => {
  const offer = offerOf(request)
  if (offer === undefined) return undeclared(turns)
  const { choice } = offer
  const tools = offer.tools.map(({ function: { description, name, parameters } }) => ({
    name,
    ...(description === undefined ? {} : { description }),
    input_schema: { ...parameters, type: "object" as const }
  }))
  if (choice === undefined) return { tools }
  if (choice === "auto" || choice === "none") return { tools, tool_choice: { type: choice } }
  const named = choice === "required" ? undefined : choice.function.name
  if (!takesAsUpTo(500, model)) {
    const told = named === undefined ? "Answer by calling one of the tools." : `Answer by calling the tool "${named}".`
    return { tools, tool_choice: { type: "auto" }, told }
  }
  return { tools, tool_choice: named === undefined ? { type: "any" } : { type: "tool", name: named } }
}

/** `defaultMaxTokens` is for a request that names none: the API demands one. */
export const bodyOf = ({ model, request }: Asked, defaultMaxTokens: number): Body => {
  const { system: own, turns } = splitSystem(request.messages)
  const stop = stopList(request.stop)
  const { told, ...tools } = offered(request, turns, model)
  const system = [own, told].filter((words) => words !== undefined).join("\n\n")
  return {
    model,
    max_tokens: request.maxTokens ?? defaultMaxTokens,
    messages: turns.map(message),
    ...(system === "" ? {} : { system }),
    ...(stop === undefined ? {} : { stop_sequences: stop }),
    ...sampling(request, model),
    ...tools
  }
}

export const finishReasons: Readonly<Record<string, FinishReason>> = {
  end_turn: "stop",
  stop_sequence: "stop",
  max_tokens: "length",
  model_context_window_exceeded: "length",
  tool_use: "tool_calls",
  refusal: "content_filter"
}

/** `input_tokens` leaves out what was read from and written to the cache. */
export const usageOf = (raw: unknown): Usage | undefined => {
  const uncached = count(at(raw, "usage", "input_tokens"))
  const outputTokens = count(at(raw, "usage", "output_tokens"))
  if (uncached === undefined || outputTokens === undefined) return undefined
  const cachedInputTokens = count(at(raw, "usage", "cache_read_input_tokens"))
  const cacheWriteTokens = count(at(raw, "usage", "cache_creation_input_tokens"))
  return {
    inputTokens: uncached + (cachedInputTokens ?? 0) + (cacheWriteTokens ?? 0),
    outputTokens,
    cachedInputTokens,
    cacheWriteTokens
  }
}

/** `server_tool_use` and what else the vendor runs itself is no call to be answered. */
const callsOf = (raw: unknown, request: ChatRequest) =>
  list(at(raw, "content")).filter((part) => at(part, "type") === "tool_use").flatMap((part, index): Array<ToolCall> => {
    const name = text(at(part, "name"))
    if (name === undefined) return []
    const id = text(at(part, "id")) ?? madeId(index, { id: at(raw, "id"), request })
    return [{ id, name, arguments: written(at(part, "input")) }]
  })

export const read = (raw: unknown, { model, request }: Asked): ProviderResponse => {
  if (!Array.isArray(at(raw, "content"))) throw unreadable("a message of Anthropic's", raw)
  return answer({
    content: list(at(raw, "content"))
      .map((part) => at(part, "type") === "text" ? text(at(part, "text")) ?? "" : "").join(""),
    finishReason: finishReasons[text(at(raw, "stop_reason")) ?? ""] ?? "other",
    model: text(at(raw, "model")) ?? model,
    usage: usageOf(raw),
    ...withCalls(callsOf(raw, request)),
    raw
  })
}
