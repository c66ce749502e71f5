/** `streamGenerateContent` in chunks, each of which is a response of its own with the usage up to it. */
import { piecesOf } from "./pieces.ts"
import type { Answer, StreamedAnswer } from "./VendorFormat.ts"

interface Response {
  readonly candidates: ReadonlyArray<{ readonly finishReason: string }>
}

/** `whole` is the response to this answer, as it is without a stream. */
export const responseChunks = (answer: Answer, whole: (answer: Answer) => Response): StreamedAnswer => {
  let outputTokens = 0
  const chunk = (text: string, calls: Answer["calls"], finish?: string) => {
    const response = whole({ ...answer, text, calls, outputTokens })
    const [{ finishReason: _reason, ...candidate }] = response.candidates as [Response["candidates"][0]]
    const finished = finish === undefined ? {} : { finishReason: finish }
    return { data: { ...response, candidates: [{ ...candidate, ...finished }] } }
  }
  const content = piecesOf({ text: answer.text, calls: [] }).map(({ tokens, ...piece }) => {
    outputTokens += tokens
    return { tokens, event: chunk(piece.kind === "text" ? piece.text : "", []) }
  })
  // A call comes whole.
  const called = answer.outputTokens - outputTokens
  outputTokens = answer.outputTokens
  const calls = answer.calls.length === 0 ? [] : [{ tokens: called, event: chunk("", answer.calls) }]
  const [{ finishReason }] = whole(answer).candidates as [Response["candidates"][0]]
  return {
    start: [],
    content: [...content, ...calls],
    end: [chunk("", [], finishReason)],
    idle: [{ data: { responseId: answer.id, modelVersion: answer.model } }]
  }
}
