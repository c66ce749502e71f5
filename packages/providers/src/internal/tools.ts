import type { ChatRequest, Tool, ToolCall, ToolCallPart, ToolChoice } from "@route-llm/core"
import { isRecord, parse, text } from "./json.ts"
import { unsupported } from "./messages.ts"

/** What a request offers the model to call. */
interface Offer {
  readonly tools: ReadonlyArray<Tool>
  readonly choice: ToolChoice | undefined
}

/** The request's tools; `undefined` where it has none, also none in an empty list, which vendors refuse. */
export const offerOf = ({ toolChoice, tools }: ChatRequest): Offer | undefined => {
  if (tools !== undefined && tools.length > 0) return { tools, choice: toolChoice }
  if (toolChoice === undefined || toolChoice === "auto" || toolChoice === "none") return undefined
  throw unsupported("toolChoice asks for a call, but the request declares no tools.")
}

/**
 * The arguments of a call as the object that Anthropic and Google take. What the model wrote is not always JSON, and a
 * conversation must not end with it: then it is kept as text, under a name of its own.
 */
export const argumentsOf = (call: ToolCallPart): Record<string, unknown> => {
  const written = call.function.arguments
  if (written.trim() === "") return {}
  const value = parse(written)
  return isRecord(value) && !Array.isArray(value) ? { ...value } : { arguments: written }
}

/**
 * An id for a call that the vendor gave none. Anthropic wants ids to be unique in a conversation, OpenAI at most 40
 * characters long. It is made of the vendor's id of the answer, or else of the number of turns before it, so that the
 * same answer read again has the same ids.
 */
export const madeId = (
  index: number,
  answer: { readonly id: unknown; readonly request: ChatRequest }
): string => {
  const id = text(answer.id)?.replace(/[^\w-]/g, "").slice(-30) ?? ""
  return `call_${id === "" ? answer.request.messages.length : id}_${index}`
}

/** Where the model called no tool there is no such field. */
export const withCalls = (calls: ReadonlyArray<ToolCall>): { readonly toolCalls?: ReadonlyArray<ToolCall> } =>
  calls.length === 0 ? {} : { toolCalls: calls }

/** Arguments as JSON, whether the vendor writes them as text or as an object. */
export const written = (value: unknown): string =>
  typeof value === "string" ? value : isRecord(value) ? JSON.stringify(value) : "{}"
