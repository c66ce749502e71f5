import type { ChatRequest } from "@route-llm/core"
import { partsOf } from "./messages.ts"

const longest = 300

/** A `user:password@` in a URL; whoever writes one by hand leaves `@` and `/` in it as they are. */
const userInfo = /\b([a-z][a-z\d+.-]{0,20}:\/\/)(?:[^\s/@:]*:(?!\d+[/?#])\S+|[^\s/?#]+)@/gi

/** Keys as the vendors write and mask them (OpenAI puts `*` into the middle), and as headers and URLs carry them. */
const keys: ReadonlyArray<readonly [RegExp, string]> = [
  [/\b(?:sk|gsk|xai|hf|pplx|nvapi|csk|r8)[-_][\w*.-]{6,}/g, "[redacted]"],
  [/\bAIza[\w*-]{6,}/g, "[redacted]"],
  [/\bya29\.[\w.*-]+/g, "[redacted]"],
  [userInfo, "$1[redacted]@"],
  [/\bBearer\s+[^\s"',;]+/gi, "Bearer [redacted]"],
  [/((?:\b|_)(?:key|token|secret|password)(?:["']?\s*[=:]|\s+provided:)\s*["']?)[^\s"',;&[\]{}]{6,}/gi, "$1[redacted]"]
]

export const redact = (message: string, secrets: ReadonlyArray<string>): string => {
  const known = secrets.filter((secret) => secret.length >= 4)
    .reduce((words, secret) => words.replaceAll(secret, "[redacted]"), message)
  return keys.reduce((words, [pattern, by]) => words.replace(pattern, by), known)
}

/** A piece of the message this long that is found in the request is a quotation. */
const piece = 24

/** Without what quoting changes: white space, quotation marks, and the escapes of JSON, however often. */
const flat = (text: string): string =>
  text.replace(/\\u([\da-f]{4})/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
    .replace(/\\[nrt]/g, " ").replace(/\\/g, "").replace(/[\s"'`]+/g, " ").trim()

/** Every part of that length. */
const partsOfLength = (text: string, length: number): ReadonlySet<string> => {
  const parts = new Set<string>()
  for (let start = 0; start + length <= text.length; start++) parts.add(text.slice(start, start + length))
  return parts
}

/**
 * Whether words quote the request, as servers do that validate with pydantic ("input: {…}"). A piece of the request
 * that is quoted holds one of its every half-pieces whole, so only these are looked up in the words: a request of a
 * megabyte takes some ms. A text shorter than a piece is looked up as a whole.
 */
const quotes = (words: string, request: ChatRequest): boolean => {
  const half = piece / 2
  const said = flat(words)
  const halves = partsOfLength(said, half)
  const pieces = partsOfLength(said, piece)
  const isQuoted = (content: string): boolean => {
    for (let start = 0; start + half <= content.length; start += half) {
      if (!halves.has(content.slice(start, start + half))) continue
      for (let from = Math.max(0, start - half); from <= start; from++) {
        if (pieces.has(content.slice(from, from + piece))) return true
      }
    }
    return false
  }
  const texts = request.messages.flatMap(partsOf).map((part) => part.type === "text" ? part.text : part.image_url.url)
  // Of tools only what is in the conversation: their schemas are code, and a vendor that finds one wrong names it.
  const calls = request.messages.flatMap((message) =>
    message.role === "assistant" ? (message.tool_calls ?? []).map((call) => call.function.arguments) : []
  )
  return [...texts, ...calls].some((text) => {
    const content = flat(text)
    return content.length < piece ? content.length >= 8 && said.includes(content) : isQuoted(content)
  })
}

const page = /<(?:!doctype|\?xml|html|head|body)\b/i

/** What is said before a page begins, without the status that the SDKs put there. */
const withoutPage = (words: string): string => {
  const start = /^(?:\d{3} )?</.test(words) ? 0 : words.search(page)
  if (start < 0) return words
  const before = words.slice(0, start).trim()
  return before === "" ? "The vendor answered with a page, not in its error format." : `${before} (a page)`
}

/** A vendor's words, fit to be logged: at most 300 characters, without keys and without the request's content. */
export const presentable = (
  message: string,
  context: { readonly secrets: ReadonlyArray<string>; readonly request?: ChatRequest | undefined }
): string => {
  const words = withoutPage(redact(message.replace(/\s+/g, " ").trim(), context.secrets))
  if (words === "") return "The vendor gave no message."
  const shown = words.length <= longest ? words : `${words.slice(0, longest - 1)}…`
  return context.request !== undefined && quotes(shown, context.request)
    ? "The vendor's message quotes the request, so it is withheld."
    : shown
}
