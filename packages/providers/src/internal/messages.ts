import { ProviderFailure } from "@route-llm/core"
import type { ChatMessage, ContentPart, ToolCallPart } from "@route-llm/core"

/** Several texts that a vendor takes as one. */
const joined = (texts: ReadonlyArray<string>): string => texts.join("\n\n")

/** A request that this vendor has no form for: nothing was sent. */
export const unsupported = (message: string) => new ProviderFailure({ class: "caller_fault", message })

export const partsOf = ({ content }: ChatMessage): ReadonlyArray<ContentPart> =>
  typeof content === "string" ? [{ type: "text", text: content }] : content

/** The texts of a message whose role cannot show images to this vendor. */
export const textsOf = (message: ChatMessage): ReadonlyArray<string> =>
  partsOf(message).map((part) => {
    if (part.type === "text") return part.text
    throw unsupported(`A message of the role "${message.role}" can hold text only here: images go into user messages.`)
  })

/** The answer of a tool, with the name that the call it answers had. */
interface ToolResult {
  readonly id: string
  /** Absent: no call before it has this id. */
  readonly name: string | undefined
  readonly content: string
}

/** A turn of the conversation itself. The answers to calls that came together are one turn. */
export type Turn =
  | { readonly role: "user"; readonly parts: ReadonlyArray<ContentPart> }
  | {
    readonly role: "assistant"
    readonly parts: ReadonlyArray<ContentPart>
    readonly calls: ReadonlyArray<ToolCallPart>
  }
  | { readonly role: "tool"; readonly results: ReadonlyArray<ToolResult> }

/** Parts that say something: the text beside calls or an image is often empty, and vendors refuse an empty one. */
const saying = (parts: ReadonlyArray<ContentPart>): ReadonlyArray<ContentPart> =>
  parts.filter((part) => part.type !== "text" || part.text !== "")

const turnsOf = (messages: ReadonlyArray<ChatMessage>): ReadonlyArray<Turn> => {
  const turns: Array<Turn> = []
  const names = new Map<string, string>()
  for (const message of messages) {
    if (message.role === "system") continue
    if (message.role === "tool") {
      const { content, tool_call_id: id } = message
      const result = { id, name: names.get(id), content }
      const last = turns.at(-1)
      if (last?.role === "tool") turns[turns.length - 1] = { role: "tool", results: [...last.results, result] }
      else turns.push({ role: "tool", results: [result] })
      continue
    }
    const calls = message.role === "assistant" ? message.tool_calls ?? [] : []
    for (const { id, function: { name } } of calls) names.set(id, name)
    const all = partsOf(message)
    const parts = saying(all)
    // A turn of nothing is the caller's: the vendor says what it thinks of it.
    const kept = parts.length === 0 && calls.length === 0 ? all : parts
    turns.push(message.role === "user" ? { role: "user", parts: kept } : { role: "assistant", parts: kept, calls })
  }
  return turns
}

/**
 * For vendors that take the system prompt apart from the conversation: all system messages, in order, as one text.
 * A conversation of system messages only becomes one user turn, since those vendors refuse an empty conversation.
 */
export const splitSystem = (
  messages: ReadonlyArray<ChatMessage>
): { readonly system: string | undefined; readonly turns: ReadonlyArray<Turn> } => {
  const texts = messages.flatMap((message) => message.role === "system" ? [joined(textsOf(message))] : [])
  const turns = turnsOf(messages)
  return turns.length === 0
    ? { system: undefined, turns: [{ role: "user", parts: [{ type: "text", text: joined(texts) }] }] }
    : { system: texts.length === 0 ? undefined : joined(texts), turns }
}

/** An image's bytes in the request, or an address the vendor fetches it from. */
export type ImageSource =
  | { readonly _tag: "Inline"; readonly mediaType: string; readonly data: string }
  | { readonly _tag: "Remote"; readonly url: string }

export const imageSource = (url: string): ImageSource => {
  if (!/^data:/i.test(url)) return { _tag: "Remote", url }
  const comma = url.indexOf(",")
  const [mediaType = "", ...parameters] = url.slice("data:".length, Math.max(0, comma)).split(";")
  if (mediaType === "" || parameters.at(-1)?.toLowerCase() !== "base64") {
    throw unsupported("An image's data URL must have the form data:image/png;base64,…")
  }
  return { _tag: "Inline", mediaType: mediaType.toLowerCase(), data: url.slice(comma + 1) }
}

export const stopList = (stop: string | ReadonlyArray<string> | undefined): Array<string> | undefined =>
  stop === undefined ? undefined : typeof stop === "string" ? [stop] : [...stop]
