/**
 * Tokens of texts with a vocabulary, within a bound of work whatever the texts: nobody blocks the event loop by what he
 * sends. Exact for texts of up to 10,000 characters, whatever their runs, as long as the request's work lasts; longer
 * ones are judged by an exact sample.
 */
import { longestPiece } from "./BpeMerger.ts"
import { heuristicTokens } from "./heuristicTokens.ts"
import { TextMemory, type TextMemoryBounds } from "./TextMemory.ts"

/** What counts one piece: `BpeMerger`, or a test's own. */
export interface PieceCounter {
  /** Tokens of `bytes[from]` to `bytes[to − 1]`; never asked for more than `longestPiece` bytes. */
  readonly count: (bytes: Uint8Array, from: number, to: number) => number
}

export interface Encoding {
  /** What splits a text into pieces, with the flags `gu`. Must be linear in any text, as `o200k_base`'s is. */
  readonly pattern: RegExp
  readonly pieces: PieceCounter
}

/**
 * Work of one request: 1 for 16 characters that the pattern splits, 2 for a piece that is a token, and 1 more for each
 * byte of one that is not. A unit takes 0.2–0.5 µs, so all of it 3–8 ms; it is enough for 30,000 characters of English,
 * or 15,000 bytes of what is in no vocabulary. Texts that remain when it is spent are left to the heuristic, and have
 * their turn with the next request of their conversation.
 */
export const requestWork = 16_384

const charactersPerWork = 16

/** With less than this, what could be counted of a text would say too little of the rest. */
const leastWork = 2_048

/** Up to here a text is counted whole. */
export const wholeLength = 10_000

/** Work spent on a longer text, and the stretches it is spent on. */
const sampleWork = 8_192
const sampleLength = 256
const samples = 32

/** Parts that the heuristic reads, of it or of all texts that are left. */
const heuristicParts = 128

/** At most 4 MB of text; below 64 characters a count takes as long as finding it. */
const memoryBounds: TextMemoryBounds = { entries: 4_000, characters: 2_000_000, shortest: 64 }

/** Multiples of the golden ratio: as many as are taken, the first of them lie evenly spread. */
const placeOf = (nth: number, length: number): number =>
  Math.floor((nth * 0.618_033_988_749_895) % 1 * (length - sampleLength))

export class TiktokenTokens {
  readonly #pattern: RegExp
  readonly #pieces: PieceCounter
  readonly #memory: TextMemory
  readonly #utf8 = new TextEncoder()
  /** Of one piece. A UTF-16 unit takes at most three bytes. */
  readonly #bytes = new Uint8Array(3 * wholeLength)
  /** Left of what may be spent. */
  #work = 0
  /** Characters counted of the text at hand. */
  #read = 0

  constructor({ pattern, pieces }: Encoding, memory: TextMemoryBounds = memoryBounds) {
    this.#pattern = pattern
    this.#pieces = pieces
    this.#memory = new TextMemory(memory)
  }

  count(texts: ReadonlyArray<string>): number {
    let tokens = 0
    const left: Array<string> = []
    this.#work = requestWork
    for (const text of texts) {
      const known = this.#memory.get(text)
      if (known !== undefined) tokens += known
      else if (this.#work >= leastWork) tokens += this.#textTokens(text)
      else left.push(text)
    }
    return Math.ceil(tokens + heuristicTokens(left, heuristicParts))
  }

  /** Counts what the work allows, and remembers the count unless the texts before this one left too little of it. */
  #textTokens(text: string): number {
    const isWhole = text.length <= wholeLength
    const share = isWhole ? requestWork : sampleWork
    const available = this.#work
    this.#work = Math.min(available, share)
    const given = this.#work
    let tokens = 0
    let read = 0
    const stretches: Array<string> = []
    for (let nth = 0; nth < (isWhole ? 1 : samples) && this.#work > 0; nth++) {
      const from = isWhole ? 0 : placeOf(nth, text.length)
      const stretch = text.substring(from, isWhole ? text.length : from + sampleLength)
      tokens += this.#exactTokens(stretch)
      read += this.#read
      stretches.push(stretch.substring(0, this.#read))
    }
    const isAsGoodAsEver = read === text.length || this.#work > 0 || given === share
    this.#work += available - given
    if (read < text.length) tokens = extrapolate({ text, tokens, read, stretches })
    if (isAsGoodAsEver) this.#memory.set(text, tokens)
    return tokens
  }

  /** Tokens of the first `#read` characters, which are all where the work suffices. */
  #exactTokens(text: string): number {
    let tokens = 0
    this.#read = 0
    this.#work -= text.length / charactersPerWork
    for (const piece of text.match(this.#pattern) ?? []) {
      const bytes = this.#encode(piece)
      for (let from = 0; from < bytes; from += longestPiece) {
        const to = Math.min(from + longestPiece, bytes)
        const counted = this.#pieces.count(this.#bytes, from, to)
        tokens += counted
        this.#work -= counted === 1 ? 2 : 2 + to - from
        if (this.#work > 0) continue
        this.#read += Math.floor(piece.length * to / bytes)
        return tokens
      }
      this.#read += piece.length
    }
    return tokens
  }

  /** Writes the piece as UTF-8, and returns how many bytes that takes. */
  #encode(piece: string): number {
    for (let index = 0; index < piece.length; index++) {
      const code = piece.charCodeAt(index)
      if (code > 0x7f) return this.#utf8.encodeInto(piece, this.#bytes).written
      this.#bytes[index] = code
    }
    return piece.length
  }
}

interface Sample {
  readonly text: string
  readonly tokens: number
  readonly read: number
  readonly stretches: ReadonlyArray<string>
}

/**
 * The greater of two estimates from a sample: as many tokens a character in the rest as in the sample, and the
 * heuristic's count of the text (which has seen more of it) corrected by its error on the sample.
 */
const extrapolate = ({ read, stretches, text, tokens }: Sample): number =>
  tokens * Math.max(text.length / read, heuristicTokens([text], heuristicParts) / heuristicTokens(stretches))
