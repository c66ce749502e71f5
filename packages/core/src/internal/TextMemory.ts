/**
 * Counts of texts that were counted before: the turns of a conversation come again with every later one.
 *
 * A least-recently-used map from the text itself to its count, bounded in entries and in characters; both bounds hold
 * at any time, and a text beyond the second alone is never kept. The texts stay in this process's memory, nowhere else,
 * until they are pushed out or their estimator's layer is gone.
 */

export interface TextMemoryBounds {
  readonly entries: number
  readonly characters: number
  /** Shorter texts are counted sooner than found. */
  readonly shortest: number
}

export class TextMemory {
  /** A `Map` iterates in the order of insertion: the least recently used comes first. */
  readonly #counts = new Map<string, number>()
  readonly #bounds: TextMemoryBounds
  #characters = 0

  constructor(bounds: TextMemoryBounds) {
    this.#bounds = bounds
  }

  get(text: string): number | undefined {
    if (text.length < this.#bounds.shortest) return undefined
    const tokens = this.#counts.get(text)
    if (tokens === undefined) return undefined
    this.#counts.delete(text)
    this.#counts.set(text, tokens)
    return tokens
  }

  set(text: string, tokens: number): void {
    const { characters, entries, shortest } = this.#bounds
    if (text.length < shortest || text.length > characters) return
    this.#delete(text)
    // A copy: the engine has a slice of a larger text keep all of that alive.
    this.#counts.set(` ${text}`.slice(1), tokens)
    this.#characters += text.length
    for (const oldest of this.#counts.keys()) {
      if (this.#counts.size <= entries && this.#characters <= characters) return
      this.#delete(oldest)
    }
  }

  #delete(text: string): void {
    if (this.#counts.delete(text)) this.#characters -= text.length
  }
}
