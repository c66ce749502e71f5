/**
 * Tokens of one piece of text: byte pairs are joined, the lowest rank first and the leftmost of equals, until no two
 * neighbours make a token. Exactly what OpenAI's tiktoken does, but with a heap of candidates: O(n log n) in the bytes,
 * where a scan for the lowest rank after each join makes every package quadratic on an unbroken run.
 */
import { type BpeVocabulary, leaf, noToken } from "./BpeVocabulary.ts"

/** Bytes of the longest piece; a candidate of the heap is `rank << positionBits | position`, within 31 bits. */
const positionBits = 10
export const longestPiece = 1 << positionBits

export class BpeMerger {
  readonly #vocabulary: BpeVocabulary
  // One part per position of its first byte: fingerprint, bytes, neighbours, and the rank of the pair it begins.
  readonly #a = new Int32Array(longestPiece)
  readonly #b = new Int32Array(longestPiece)
  readonly #lengths = new Int32Array(longestPiece)
  readonly #left = new Int32Array(longestPiece)
  readonly #right = new Int32Array(longestPiece)
  readonly #ranks = new Int32Array(longestPiece)
  /** A candidate whose pair has changed since stays in the heap until its turn: 2 more for each of at most n joins. */
  readonly #heap = new Int32Array(3 * longestPiece)
  #candidates = 0

  constructor(vocabulary: BpeVocabulary) {
    this.#vocabulary = vocabulary
  }

  /** Tokens of `bytes[from]` to `bytes[to − 1]`, at least one byte and at most `longestPiece`. */
  count(bytes: Uint8Array, from: number, to: number): number {
    return this.#vocabulary.has(bytes, from, to) ? 1 : this.#merged(bytes, from, to - from)
  }

  #merged(bytes: Uint8Array, from: number, length: number): number {
    this.#candidates = 0
    for (let at = 0; at < length; at++) {
      this.#a[at] = this.#b[at] = leaf(bytes[from + at]!)
      this.#lengths[at] = 1
      this.#left[at] = at - 1
      this.#right[at] = at + 1
    }
    for (let at = 0; at < length; at++) this.#consider(at, length)
    let parts = length
    while (this.#candidates > 0) {
      const candidate = this.#pop()
      const at = candidate & longestPiece - 1
      if (this.#ranks[at] !== candidate >>> positionBits) continue
      this.#join(at, length)
      parts--
    }
    return parts
  }

  /** Notes the rank of the pair that begins here, and puts it in the heap where it is a token. */
  #consider(at: number, end: number): void {
    const next = this.#right[at]!
    const rank = next < end ? this.#pairRank(at, next) : noToken
    this.#ranks[at] = rank
    if (rank !== noToken) this.#push(rank << positionBits | at)
  }

  #pairRank(at: number, next: number): number {
    const { longest, powersA, powersB } = this.#vocabulary
    const length = this.#lengths[next]!
    if (this.#lengths[at]! + length > longest) return noToken
    return this.#vocabulary.rank(
      Math.imul(this.#a[at]!, powersA[length]!) + this.#a[next]! | 0,
      Math.imul(this.#b[at]!, powersB[length]!) + this.#b[next]! | 0
    )
  }

  #join(at: number, end: number): void {
    const { powersA, powersB } = this.#vocabulary
    const next = this.#right[at]!
    const length = this.#lengths[next]!
    this.#a[at] = Math.imul(this.#a[at]!, powersA[length]!) + this.#a[next]! | 0
    this.#b[at] = Math.imul(this.#b[at]!, powersB[length]!) + this.#b[next]! | 0
    this.#lengths[at]! += length
    this.#ranks[next] = noToken
    const after = this.#right[next]!
    this.#right[at] = after
    if (after < end) this.#left[after] = at
    this.#consider(at, end)
    if (this.#left[at]! >= 0) this.#consider(this.#left[at]!, end)
  }

  #push(candidate: number): void {
    const heap = this.#heap
    let at = this.#candidates++
    while (at > 0) {
      const parent = at - 1 >>> 1
      if (heap[parent]! <= candidate) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = candidate
  }

  #pop(): number {
    const heap = this.#heap
    const lowest = heap[0]!
    const size = --this.#candidates
    const last = heap[size]!
    let at = 0
    for (let child = 1; child < size; child = 2 * at + 1) {
      if (child + 1 < size && heap[child + 1]! < heap[child]!) child++
      if (heap[child]! >= last) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
    return lowest
  }
}
