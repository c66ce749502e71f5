/**
 * Tokens of a text by its classes of characters, in one pass. The rates are those of OpenAI's `o200k_base` on samples
 * of prose, code, numbers and CJK text. Long unbroken runs (base64, hashes) take far more tokens than words do.
 */

/** A word of up to this many letters is mostly one token; what goes beyond takes one per `lettersPerToken`. */
const wordLetters = 7
const lettersPerToken = 4

/** From here on a run of letters and digits is taken for no word of any language. */
const unbrokenRun = 24
const unbrokenPerToken = 1.6

const digitsPerToken = 3
const spacesPerToken = 16
const otherAlphabetPerToken = 2.5
const symbolTokens = 0.8
const cjkTokens = 0.9
const surrogateTokens = 1

/**
 * The rule of thumb, as a floor. Until the ledger has learned a vendor's ratio, an estimate too low meets the vendor's
 * limit, and one too high only leaves some of it unused for a moment.
 */
const charactersPerToken = 4

type CharClass = "letter" | "digit" | "space" | "symbol" | "cjk" | "surrogate" | "other"

const isCjk = (code: number): boolean => (code >= 0x2e80 && code <= 0xd7ff) || (code >= 0xf900 && code <= 0xffef)

const classify = (code: number): CharClass => {
  if ((code >= 97 && code <= 122) || (code >= 65 && code <= 90)) return "letter"
  if (code >= 48 && code <= 57) return "digit"
  if (code <= 32) return "space"
  if (code < 128) return "symbol"
  if (code >= 0xd800 && code <= 0xdfff) return "surrogate"
  return isCjk(code) ? "cjk" : "other"
}

const isAlphanumeric = (kind: CharClass): boolean => kind === "letter" || kind === "digit"

/** A run of one class; an unbroken mix of letters and digits counts as one run only when it is long. */
const runTokens = (kind: CharClass, length: number): number => {
  switch (kind) {
    case "letter":
      return length <= wordLetters ? 1 : 1 + (length - wordLetters) / lettersPerToken
    case "digit":
      return Math.ceil(length / digitsPerToken)
    case "space":
      // A single space belongs to the word after it.
      return length === 1 ? 0 : Math.ceil(length / spacesPerToken)
    case "symbol":
      return length * symbolTokens
    case "cjk":
      return length * cjkTokens
    case "surrogate":
      return length * surrogateTokens
    case "other":
      return length / otherAlphabetPerToken
  }
}

export const heuristicTokens = (text: string): number => {
  let tokens = 0
  let wordTokens = 0
  let wordLength = 0
  let index = 0
  const endWord = () => {
    tokens += wordLength >= unbrokenRun ? Math.max(wordTokens, wordLength / unbrokenPerToken) : wordTokens
    wordTokens = 0
    wordLength = 0
  }
  while (index < text.length) {
    const kind = classify(text.charCodeAt(index))
    const start = index
    do index++
    while (index < text.length && classify(text.charCodeAt(index)) === kind)
    if (isAlphanumeric(kind)) {
      wordTokens += runTokens(kind, index - start)
      wordLength += index - start
    } else {
      endWord()
      tokens += runTokens(kind, index - start)
    }
  }
  endWord()
  return Math.ceil(Math.max(tokens, text.length / charactersPerToken))
}
