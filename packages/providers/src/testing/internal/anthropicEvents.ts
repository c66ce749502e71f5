/** The Messages format in events. */
import { type Piece, piecesOf } from "./pieces.ts"
import type { Answer, StreamedAnswer, StreamEvent } from "./VendorFormat.ts"

const named = (type: string, fields: object = {}): StreamEvent => ({ event: type, data: { type, ...fields } })

interface Message {
  readonly stop_reason: string
  readonly usage: { readonly output_tokens: number }
}

const blockOf = (piece: Piece, answer: Answer): object =>
  piece.kind === "text"
    ? { type: "text", text: "" }
    : { type: "tool_use", id: `toolu_${answer.id}_${piece.index}`, name: piece.name, input: {} }

const deltaOf = (piece: Piece): object =>
  piece.kind === "text"
    ? { type: "text_delta", text: piece.text }
    : { type: "input_json_delta", partial_json: piece.json }

/** `message` is the whole answer, as it is without a stream. */
export const messageEvents = (answer: Answer, message: Message): StreamedAnswer => {
  const { stop_reason: stopReason, usage } = message
  const content: Array<StreamedAnswer["content"][number]> = []
  let block = -1
  let open: string | undefined
  for (const piece of piecesOf(answer)) {
    const key = piece.kind === "text" ? "text" : `call ${piece.index}`
    if (key !== open) {
      if (open !== undefined) content.push({ tokens: 0, event: named("content_block_stop", { index: block }) })
      block++
      open = key
      const start = named("content_block_start", { index: block, content_block: blockOf(piece, answer) })
      content.push({ tokens: 0, event: start })
    }
    const delta = named("content_block_delta", { index: block, delta: deltaOf(piece) })
    content.push({ tokens: piece.tokens, event: delta })
  }
  const start = { ...message, content: [], stop_reason: null, usage: { ...usage, output_tokens: 1 } }
  return {
    start: [named("message_start", { message: start }), named("ping")],
    content,
    end: [
      ...(block < 0 ? [] : [named("content_block_stop", { index: block })]),
      named("message_delta", {
        delta: { stop_reason: stopReason, stop_sequence: null },
        usage: { output_tokens: usage.output_tokens }
      }),
      named("message_stop")
    ],
    idle: [named("ping"), named("event_of_tomorrow")]
  }
}
