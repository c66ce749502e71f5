/** The chat completions format in chunks, as OpenAI and Groq stream it. */
import { chatCompletion } from "./chatCompletions.ts"
import { type Piece, piecesOf } from "./pieces.ts"
import type { Answer, StreamedAnswer } from "./VendorFormat.ts"

const deltaOf = (piece: Piece, answer: Answer): object =>
  piece.kind === "text" ? { content: piece.text } : {
    tool_calls: [{
      index: piece.index,
      ...(piece.name === undefined ? {} : { id: `call_${answer.id}_${piece.index}`, type: "function" }),
      function: { ...(piece.name === undefined ? {} : { name: piece.name }), arguments: piece.json }
    }]
  }

/** `more`: what the vendor adds to the first chunk and to the one that finishes. */
export const chatCompletionChunks = (
  answer: Answer,
  more: { readonly first?: object; readonly last?: object } = {}
): StreamedAnswer => {
  const chunk = (choices: ReadonlyArray<object>, rest: object = {}) => ({
    data: {
      id: `chatcmpl-${answer.id}`,
      object: "chat.completion.chunk",
      created: answer.unixSeconds,
      model: answer.model,
      choices,
      ...(answer.streamUsage === true ? { usage: null } : {}),
      ...rest
    }
  })
  const choice = (
    delta: object,
    finishReason: string | null = null
  ) => [{ index: 0, delta, logprobs: null, finish_reason: finishReason }]
  const { usage } = chatCompletion(answer)
  return {
    start: [chunk(choice({ role: "assistant", content: answer.text === "" ? null : "", refusal: null }), more.first)],
    content: piecesOf(answer).map((piece) => ({ tokens: piece.tokens, event: chunk(choice(deltaOf(piece, answer))) })),
    end: [
      chunk(choice({}, answer.finish), more.last),
      ...(answer.streamUsage === true ? [chunk([], { usage })] : []),
      { data: "[DONE]" }
    ],
    idle: [chunk([])]
  }
}
