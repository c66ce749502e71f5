/**
 * The texts of a request, and the tokens of all that is no text: what a chat format adds to each message, tool and
 * call, and images.
 */
import type { ChatMessage, ChatRequest, ContentPart, Tool } from "../ChatRequest.ts"

/** Tokens of texts, all together. */
export type CountTexts = (texts: ReadonlyArray<string>) => number

/** What OpenAI's chat format adds to each message, and before the answer; others are near (OpenAI cookbook). */
const perMessage = 4
const perAnswer = 3

/** What its tools add: once, for each, and for each call together with what answers it (OpenAI cookbook; observed). */
const toolsOnce = 12
const perTool = 7
const perToolCall = 8

/** OpenAI's count of an image in low detail, and of a square of 1,024 pixels in high detail (vision guide). */
const perImage = { low: 85, high: 765 }

/** A description that is no JSON counts nothing here: the vendor's SDK will not send it. */
const toolText = ({ function: described }: Tool): string => {
  try {
    return JSON.stringify(described)
  } catch {
    return ""
  }
}

/** Adds the texts of a part, and returns the tokens of what is no text. */
const readPart = (part: ContentPart, texts: Array<string>): number => {
  if (part.type === "image_url") return part.image_url.detail === "low" ? perImage.low : perImage.high
  texts.push(part.text)
  return 0
}

const readMessage = (message: ChatMessage, texts: Array<string>): number => {
  let tokens = perMessage
  if (typeof message.content === "string") texts.push(message.content)
  else for (const part of message.content) tokens += readPart(part, texts)
  if (message.role !== "assistant") return tokens
  for (const { function: called } of message.tool_calls ?? []) {
    tokens += perToolCall
    texts.push(called.name, called.arguments)
  }
  return tokens
}

/** Input tokens of the whole request. */
export const requestTokens = ({ messages, tools = [] }: ChatRequest, countTexts: CountTexts): number => {
  const texts = tools.map(toolText)
  let tokens = perAnswer + perTool * tools.length + (tools.length > 0 ? toolsOnce : 0)
  for (const message of messages) tokens += readMessage(message, texts)
  return tokens + countTexts(texts)
}
