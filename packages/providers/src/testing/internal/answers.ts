/**
 * The vendor's own count of a prompt, how long it answers, and with what. One token of an answer is one short word.
 */
import { Array, Option } from "effect"
import type { Message } from "./VendorFormat.ts"

const tokensPerMessage = 4
const tokensPerImage = 85
const charsPerToken = 4

export const countInputTokens = (messages: ReadonlyArray<Message>): number =>
  messages.reduce(
    (sum, { images, text }) =>
      sum + tokensPerMessage + Math.ceil(text.length / charsPerToken) + images * tokensPerImage,
    0
  )

/** No answer is longer, whatever is asked for. */
export const maxAnswerTokens = 65_536

const marker = /\[answer with (\d+) tokens?\]/

/** What the last user message asks for; otherwise drawn: lognormal around 200. At least 1. */
export const wantedTokens = (messages: ReadonlyArray<Message>, normal: number): number => {
  const lastUser = Array.findLast(messages, ({ role }) => role === "user")
  const asked = Option.isNone(lastUser) ? undefined : marker.exec(lastUser.value.text)?.[1]
  return Math.max(1, asked === undefined ? Math.round(200 * Math.exp(0.5 * normal)) : Number(asked))
}

/** Words of four letters, so that any number of them is a slice of a repetition. */
const phrase = "this text came from your test host with mild care over each line "

const wordLength = 5

export const answerText = (tokens: number): string =>
  phrase.repeat(Math.ceil(tokens * wordLength / phrase.length)).slice(0, tokens * wordLength - 1)
