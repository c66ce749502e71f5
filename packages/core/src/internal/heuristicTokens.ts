/**
 * Tokens of texts without a vocabulary: one flat pass over classes of characters (`characterCosts.ts`).
 *
 * Bounded whatever comes: of more than 8,192 characters, 32 parts are read that lie evenly spread over all texts
 * together, so that no one part decides, and the rest is taken to be alike. The first call of a process runs
 * uncompiled, at 0.2–0.4 µs a character; a megabyte takes 2–4 ms there, and 0.1 ms later on. That is less than it takes
 * to find 400 kB of texts in a memory of counts (0.7 ms, for their hashes), so there is none.
 */
import { classBits, classOf, lastWordClass, lineClass, pairCosts, stretchRow } from "./characterCosts.ts"

/** A run of letters and digits is taken for no word of any language from here on: base64, hashes, noise. */
const unbrokenRun = 24
/** What each further character of such a run takes beyond its class. */
const unbrokenLetter = 0.45
const unbrokenDigit = 0.07

/** One character repeated more often than this is a stretch. */
const stretch = 16

/** Parts that are read of long texts, and the characters of each. */
const usualParts = 32
const partLength = 256

const partTokens = (text: string, from: number, to: number): number => {
  const classes = classOf
  const costs = pairCosts
  let tokens = 0
  let before = from === 0 ? lineClass : classes[text.charCodeAt(from - 1)]!
  let last = -1
  let same = 0
  let run = 0
  for (let index = from; index < to; index++) {
    const code = text.charCodeAt(index)
    const kind = classes[code]!
    same = code === last ? same + 1 : 0
    tokens += costs[(same > stretch ? stretchRow : before) << classBits | kind]!
    if (kind > lastWordClass) run = 0
    else if (++run > unbrokenRun && same <= stretch) tokens += kind === lastWordClass ? unbrokenDigit : unbrokenLetter
    before = kind
    last = code
  }
  return tokens
}

/** Reads a part at each of so many places, at equal distances over all texts as if they were one. */
const sampledTokens = (texts: ReadonlyArray<string>, length: number, parts: number): number => {
  const distance = length / parts
  let place = distance / 2
  let passed = 0
  let tokens = 0
  let read = 0
  for (const text of texts) {
    for (; place < passed + text.length; place += distance) {
      const from = Math.max(0, Math.min(Math.floor(place - passed), text.length - partLength))
      const to = Math.min(from + partLength, text.length)
      tokens += partTokens(text, from, to)
      read += to - from
    }
    passed += text.length
  }
  return tokens * length / read
}

/** Tokens of the texts together; more `parts` are worth their time where this is compiled already. */
export const heuristicTokens = (texts: ReadonlyArray<string>, parts = usualParts): number => {
  let length = 0
  for (const text of texts) length += text.length
  if (length > parts * partLength) return Math.ceil(sampledTokens(texts, length, parts))
  let tokens = 0
  for (const text of texts) tokens += partTokens(text, 0, text.length)
  return Math.ceil(tokens)
}
