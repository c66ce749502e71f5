import type { ChatRequest } from "@route-llm/core"
import { partsOf } from "./messages.ts"

const longest = 300

/** Keys as the vendors write and mask them (OpenAI puts `*` into the middle), and as headers and URLs carry them. */
const keys: ReadonlyArray<readonly [RegExp, string]> = [
  [/\b(?:sk|gsk|xai|hf|pplx|nvapi|csk|r8)[-_][\w*.-]{6,}/g, "[redacted]"],
  [/\bAIza[\w*-]{6,}/g, "[redacted]"],
  [/\bya29\.[\w.*-]+/g, "[redacted]"],
  // User and password of a proxy's or server's address.
  [/(:\/\/)[^\s/@"'<>]+@/g, "$1[redacted]@"],
  [/\bBearer\s+[^\s"',;]+/gi, "Bearer [redacted]"],
  [/((?:\b|_)(?:key|token)(?:["']?\s*[=:]|\s+provided:)\s*["']?)[^\s"',;&[\]{}]{6,}/gi, "$1[redacted]"]
]

export const redact = (message: string, secrets: ReadonlyArray<string>): string => {
  const known = secrets.filter((secret) => secret.length >= 4)
    .reduce((words, secret) => words.replaceAll(secret, "[redacted]"), message)
  return keys.reduce((words, [pattern, by]) => words.replace(pattern, by), known)
}

/** A piece of the message this long that is found in the request is a quotation. */
const piece = 24

/** Without what quoting changes: white space, and the escapes of JSON. */
const flat = (text: string): string => text.replace(/\\[nrt]/g, " ").replace(/[\s\\"]+/g, " ").trim()

/**
 * Whether words quote the request, as servers do that validate with pydantic ("input: {…}"). They are looked up in the
 * request in overlapping pieces, a few dozen searches at most; a text shorter than a piece is looked up as a whole.
 */
const quotes = (words: string, request: ChatRequest): boolean => {
  const said = flat(words)
  const parts = request.messages.flatMap(partsOf).map((part) => part.type === "text" ? part.text : part.image_url.url)
  // Of tools only what is in the conversation: their schemas are code, and a vendor that finds one wrong names it.
  const calls = request.messages.flatMap((message) =>
    message.role === "assistant" ? (message.tool_calls ?? []).map((call) => call.function.arguments) : []
  )
  return [...parts, ...calls].some((text) => {
    const content = flat(text)
    if (content.length < piece) return content.length >= 8 && said.includes(content)
    for (let start = 0; start + piece <= said.length; start += piece / 2) {
      if (content.includes(said.slice(start, start + piece))) return true
    }
    return false
  })
}

/** A vendor's words, fit to be logged: at most 300 characters, without keys and without the request's content. */
export const presentable = (
  message: string,
  context: { readonly secrets: ReadonlyArray<string>; readonly request?: ChatRequest | undefined }
): string => {
  const words = redact(message.replace(/\s+/g, " ").trim(), context.secrets)
  if (words === "") return "The vendor gave no message."
  if (words.startsWith("<")) return "The vendor answered with a page, not in its error format."
  const shown = words.length <= longest ? words : `${words.slice(0, longest - 1)}…`
  return context.request !== undefined && quotes(shown, context.request)
    ? "The vendor's message quotes the request, so it is withheld."
    : shown
}
