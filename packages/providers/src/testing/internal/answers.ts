/**
 * The vendor's own count of a prompt, how long it answers, and with what. One token of an answer is one short word, or
 * four characters of a call.
 */
import { Array, Option } from "effect"
import { callsIn } from "./callMarker.ts"
import type { Call, Message, Reply } from "./VendorFormat.ts"

const tokensPerMessage = 4
const tokensPerImage = 85
const charsPerToken = 4

const tokensOf = (text: string): number => Math.ceil(text.length / charsPerToken)

export const countInputTokens = ({ messages, tools }: Pick<Call, "messages" | "tools">): number =>
  messages.reduce((sum, { images, text }) => sum + tokensPerMessage + tokensOf(text) + images * tokensPerImage, 0)
  + tools.reduce((sum, { text }) => sum + tokensOf(text), 0)

/** No answer is longer, whatever is asked for. */
const maxAnswerTokens = 65_536

const marker = /\[answer with (\d+) tokens?\]/

/** A JSON string, to be said as it is. */
const sayMarker = /\[say ("(?:[^"\\]|\\.)+")\]/

const saying = (text: string, most: number): Reply => {
  const words = text.match(/\S+\s*/g) ?? [text]
  const said = words.slice(0, most)
  return {
    text: said.join("").trimEnd(),
    calls: [],
    finish: said.length < words.length ? "length" : "stop",
    outputTokens: said.length
  }
}

const lastUserText = (messages: ReadonlyArray<Message>): string =>
  Option.match(Array.findLast(messages, ({ role }) => role === "user"), {
    onNone: () => "",
    onSome: ({ text }) => text
  })

/** Words of four letters, so that any number of them is a slice of a repetition; the second has one of two bytes. */
const phrase = "this tëxt came from your test host with mild care over each line "

const wordLength = 5

const answerText = (tokens: number): string =>
  phrase.repeat(Math.ceil(tokens * wordLength / phrase.length)).slice(0, Math.max(0, tokens * wordLength - 1))

/**
 * What the last user message asks for: a text, so many tokens, calls of tools that are declared, or both. Nothing asked for is
 * as many tokens as drawn: lognormal around 200. At least 1, and never more than the request's maximum; calls that do
 * not fit in it are left out.
 */
export const replyTo = (call: Call, normal: number): Reply => {
  const text = lastUserText(call.messages)
  const asked = marker.exec(text)?.[1]
  const most = Math.min(maxAnswerTokens, call.maxTokens ?? Infinity)
  // Once a tool has answered, the user's message has been served.
  const calls = call.messages.at(-1)?.role === "tool" ? [] : callsIn(text, call.tools)
  const callTokens = calls.reduce((sum, { args, name }) => sum + tokensOf(name + JSON.stringify(args)), 0)
  const words = asked === undefined ? 0 : Number(asked)
  if (calls.length > 0 && callTokens + words <= most) {
    return { text: answerText(words), calls, finish: "tool_calls", outputTokens: callTokens + words }
  }
  const said = sayMarker.exec(text)?.[1]
  if (said !== undefined) return saying(String(JSON.parse(said)), most)
  const wanted = Math.max(1, asked === undefined ? Math.round(200 * Math.exp(0.5 * normal)) : words)
  const outputTokens = Math.min(wanted, most)
  return { text: answerText(outputTokens), calls: [], finish: outputTokens < wanted ? "length" : "stop", outputTokens }
}
