import type { ChatRequest, FinishReason, ProviderResponse, ToolCall, Usage } from "@route-llm/core"
import type { Asked, ChatCall } from "../Adapter.ts"
import { answer, blocked, unreadable } from "./answer.ts"
import { at, count, isRecord, list, parse, text } from "./json.ts"
import { imageSource, splitSystem, stopList, unsupported } from "./messages.ts"
import type { Turn } from "./messages.ts"
import { argumentsOf, madeId, offerOf, withCalls, written } from "./tools.ts"

type Part =
  | { text: string }
  | { inlineData: { mimeType: string; data: string } }
  | { fileData: { mimeType: string; fileUri: string } }
  | { functionCall: { name: string; args: Record<string, unknown> }; thoughtSignature?: string }
  | { functionResponse: { name: string; response: Record<string, unknown> } }

/** The parameters of `models.generateContent` and `models.generateContentStream`. */
export interface Parameters {
  model: string
  contents: Array<{ role: "user" | "model"; parts: Array<Part> }>
  config: {
    abortSignal: AbortSignal
    httpOptions: { retryOptions: { attempts: number } }
    automaticContinuation: boolean
    systemInstruction?: string
    maxOutputTokens?: number
    temperature?: number
    topP?: number
    stopSequences?: Array<string>
    tools?: Array<{
      functionDeclarations: Array<{ name: string; description?: string; parametersJsonSchema?: unknown }>
    }>
    toolConfig?: { functionCallingConfig: { mode: Mode; allowedFunctionNames?: Array<string> } }
  }
}

/** The SDK has an enum of strings for it, to which no text is assignable; importing it would demand the SDK. */
type Mode = never

const mode = (name: "AUTO" | "NONE" | "ANY"): Mode => name as never

const mediaTypes: Readonly<Record<string, string>> = {
  png: "image/png",
  webp: "image/webp",
  gif: "image/gif",
  heic: "image/heic",
  heif: "image/heif"
}

const mediaType = (url: string): string => {
  const [, extension = ""] = /\.(\w+)(?:[?#]|$)/.exec(url) ?? []
  return mediaTypes[extension.toLowerCase()] ?? "image/jpeg"
}

const part = (given: Extract<Turn, { readonly role: "user" }>["parts"][number]): Part => {
  if (given.type === "text") return { text: given.text }
  const source = imageSource(given.image_url.url)
  return source._tag === "Remote"
    ? { fileData: { mimeType: mediaType(source.url), fileUri: source.url } }
    : { inlineData: { mimeType: source.mediaType, data: source.data } }
}

/**
 * Gemini 3 answers a turn with 400 whose first call lacks the signature of the thought that led to it. The common form
 * has no place for signatures, and calls can come from another vendor; for these Google documents this value
 * (ai.google.dev/gemini-api/docs/thought-signatures, FAQ), which its own command line sends as well.
 */
const noSignature = "skip_thought_signature_validator"

/** An object as it is: Google reads its keys `output` and `error`. Anything else is output. */
const responseOf = (content: string): Record<string, unknown> => {
  const value = parse(content)
  return isRecord(value) && !Array.isArray(value) ? { ...value } : { output: content }
}

const turn = (given: Turn): Parameters["contents"][number] => {
  switch (given.role) {
    case "user":
      return { role: "user", parts: given.parts.map(part) }
    case "assistant": {
      const calls = given.calls.map((call, index): Part => ({
        functionCall: { name: call.function.name, args: argumentsOf(call) },
        ...(index === 0 ? { thoughtSignature: noSignature } : {})
      }))
      return { role: "model", parts: [...given.parts.map(part), ...calls] }
    }
    case "tool":
      return {
        role: "user",
        parts: given.results.map(({ content, id, name }) => {
          if (name === undefined) {
            throw unsupported(`A tool message answers the call "${id}", but no turn before has it.`)
          }
          return { functionResponse: { name, response: responseOf(content) } }
        })
      }
  }
}

const offered = (request: ChatRequest): Pick<Parameters["config"], "tools" | "toolConfig"> => {
  const offer = offerOf(request)
  if (offer === undefined) return {}
  const { choice } = offer
  const functionDeclarations = offer.tools.map(({ function: { description, name, parameters } }) => ({
    name,
    ...(description === undefined ? {} : { description }),
    ...(parameters === undefined ? {} : { parametersJsonSchema: parameters })
  }))
  const tools = [{ functionDeclarations }]
  if (choice === undefined) return { tools }
  if (choice === "auto") return { tools, toolConfig: { functionCallingConfig: { mode: mode("AUTO") } } }
  if (choice === "none") return { tools, toolConfig: { functionCallingConfig: { mode: mode("NONE") } } }
  const allowed = choice === "required" ? {} : { allowedFunctionNames: [choice.function.name] }
  return { tools, toolConfig: { functionCallingConfig: { mode: mode("ANY"), ...allowed } } }
}

export const parametersOf = ({ model, request, signal }: ChatCall): Parameters => {
  const { system, turns } = splitSystem(request.messages)
  const stop = stopList(request.stop)
  return {
    model,
    contents: turns.map(turn),
    config: {
      abortSignal: signal,
      // Merged into the client's own options by the SDK, which retries only where it finds retryOptions.
      httpOptions: { retryOptions: { attempts: 1 } },
      // By default the SDK goes on with further requests where the model stops at a limit of one request.
      automaticContinuation: false,
      ...(system === undefined ? {} : { systemInstruction: system }),
      ...(request.maxTokens === undefined ? {} : { maxOutputTokens: request.maxTokens }),
      ...(request.temperature === undefined ? {} : { temperature: request.temperature }),
      ...(request.topP === undefined ? {} : { topP: request.topP }),
      ...(stop === undefined ? {} : { stopSequences: stop }),
      ...offered(request)
    }
  }
}

export const finishReasons: Readonly<Record<string, FinishReason>> = {
  STOP: "stop",
  MAX_TOKENS: "length",
  CONTINUATION: "length",
  SAFETY: "content_filter",
  RECITATION: "content_filter",
  BLOCKLIST: "content_filter",
  PROHIBITED_CONTENT: "content_filter",
  SPII: "content_filter",
  IMAGE_SAFETY: "content_filter",
  IMAGE_PROHIBITED_CONTENT: "content_filter",
  IMAGE_RECITATION: "content_filter"
}

/** A field that is 0 is left out of the JSON, as protobuf does. */
export const usageOf = (raw: unknown): Usage | undefined => {
  const inputTokens = count(at(raw, "usageMetadata", "promptTokenCount"))
  if (inputTokens === undefined) return undefined
  return {
    inputTokens,
    outputTokens: (count(at(raw, "usageMetadata", "candidatesTokenCount")) ?? 0)
      + (count(at(raw, "usageMetadata", "thoughtsTokenCount")) ?? 0),
    cachedInputTokens: count(at(raw, "usageMetadata", "cachedContentTokenCount"))
  }
}

const partsOf = (candidate: unknown): ReadonlyArray<unknown> =>
  list(at(candidate, "content", "parts")).filter((given) => at(given, "thought") !== true)

const callsOf = (candidate: unknown, made: { readonly id: unknown; readonly request: ChatRequest }) =>
  partsOf(candidate).filter((given) => isRecord(at(given, "functionCall"))).flatMap((given, index): Array<ToolCall> => {
    const name = text(at(given, "functionCall", "name"))
    if (name === undefined) return []
    // Arguments that are empty are left out of the JSON.
    const json = written(at(given, "functionCall", "args"))
    return [{ id: text(at(given, "functionCall", "id")) ?? madeId(index, made), name, arguments: json }]
  })

export const read = (raw: unknown, { model: requested, request }: Asked): ProviderResponse => {
  const usage = usageOf(raw)
  const model = text(at(raw, "modelVersion")) ?? requested
  const reason = text(at(raw, "promptFeedback", "blockReason"))
  const candidates = at(raw, "candidates")
  if (reason !== undefined && list(candidates).length === 0) throw blocked(model, usage, reason)
  const candidate = list(candidates)[0]
  // A candidate without content says at least why it ended.
  if (!isRecord(at(candidate, "content")) && text(at(candidate, "finishReason")) === undefined) {
    throw unreadable("a Gemini response with a candidate", raw)
  }
  return answer({
    content: partsOf(candidate).map((given) => text(at(given, "text")) ?? "").join(""),
    finishReason: finishReasons[text(at(candidate, "finishReason")) ?? ""] ?? "other",
    model,
    usage,
    ...withCalls(callsOf(candidate, { id: at(raw, "responseId"), request })),
    raw
  })
}
