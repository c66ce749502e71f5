import type { Usage } from "../../ChatResponse.ts"
import type { Received } from "../../RouterError.ts"
import type { Reservation } from "../../RouterState.ts"
import type { ProviderPart } from "../../StreamPart.ts"
import { heuristicTokens } from "../heuristicTokens.ts"
import type { Batch } from "./openAnswer.ts"

/** More of an answer than this is counted, not kept. */
const mostCharacters = 1_000_000

/** Pieces joined at a time: a text made of a million pieces takes more memory than its characters. */
const mostPieces = 1_024

/** And as many characters, since a piece may be of any size. */
const mostPending = 1_000_000

export type Finished = Extract<ProviderPart, { readonly _tag: "Finish" }>

/** What has been received of one answer: the text for the error, the tokens for the ledger. */
export class Transcript {
  usage: Usage | undefined
  model: string | undefined
  finish: Finished | undefined
  characters = 0
  #kept = ""
  #pieces: Array<string> = []
  #pending = 0
  /** Reasoning and arguments of tools, which are tokens too. */
  #otherCharacters = 0

  /** Answers how many characters came. */
  add(parts: Batch): number {
    let came = 0
    for (const part of parts) {
      if (part._tag === "Text") {
        came += part.text.length
        this.#keep(part.text)
      } else if (part._tag === "Reasoning" || part._tag === "ToolCall") {
        const { length } = part._tag === "Reasoning" ? part.text : part.arguments
        came += length
        this.#otherCharacters += length
      } else if (part._tag === "Usage") this.usage = part.usage
      else if (part._tag === "Finish") this.finish = part
      else if (part.model !== undefined) this.model = part.model
    }
    return came
  }

  get received(): Received {
    return { text: this.#text(), characters: this.characters }
  }

  /**
   * What an answer that was cut off has used: as the vendor has told, and for the output never less than what came, nor,
   * where the vendor may have gone on, than what was reserved.
   */
  used(reservation: Reservation, mayHaveGoneOn: boolean): Usage {
    const text = this.#text()
    const perCharacter = text.length === 0 ? 0.25 : heuristicTokens([text]) / text.length
    const came = Math.ceil(perCharacter * (this.characters + this.#otherCharacters))
    return {
      ...this.usage,
      inputTokens: this.usage?.inputTokens ?? reservation.inputTokens,
      outputTokens: Math.max(came, this.usage?.outputTokens ?? 0, mayHaveGoneOn ? reservation.outputTokens : 0)
    }
  }

  #keep(text: string): void {
    this.characters += text.length
    if (this.characters > mostCharacters && this.#kept.length >= mostCharacters) return
    this.#pieces.push(text)
    this.#pending += text.length
    if (this.#pieces.length >= mostPieces || this.#pending >= mostPending) this.#text()
  }

  #text(): string {
    if (this.#pieces.length > 0) {
      this.#kept = (this.#kept + this.#pieces.join("")).slice(0, mostCharacters)
      this.#pieces = []
      this.#pending = 0
    }
    return this.#kept
  }
}
