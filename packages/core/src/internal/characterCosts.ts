/**
 * What a character adds to the count of tokens, by its class and the class of the one before: the heuristic's model of
 * a tokenizer. The figures are a least-squares fit, slightly upwards, to the counts of OpenAI's `o200k_base` on prose in
 * 40 languages, program text, JSON, markdown, logs, numbers, emoji and base64.
 */

/** `first` after another class, `next` after its own; `long` within a stretch of one and the same character. */
interface CharacterClass {
  readonly first: number
  readonly next: number
  readonly long?: number
  readonly ranges: ReadonlyArray<readonly [from: number, to: number]>
}

/**
 * At most 32; up to `digit` they are what words and unbroken runs consist of. A stretch of one character is cheap: 128
 * spaces or 64 times `=` are one token, 8 times `a`, but only 2 times `z`.
 */
const classes = {
  lower: { first: 0.9, next: 0.04, long: 0.4, ranges: [[0x61, 0x7a]] },
  upper: { first: 1.15, next: 0.4, long: 0.4, ranges: [[0x41, 0x5a]] },
  accented: { first: 0.9, next: 0.8, ranges: [[0xc0, 0xd6], [0xd8, 0xf6], [0xf8, 0x24f], [0x1e00, 0x1e9f]] },
  vietnamese: { first: 0.6, next: 0.5, ranges: [[0x1ea0, 0x1eff]] },
  digit: { first: 0.95, next: 0.26, long: 0.34, ranges: [[0x30, 0x39]] },
  space: { first: 0, next: 0.02, ranges: [[0x20, 0x20]] },
  /** Line breaks and tabs. */
  line: { first: 0.95, next: 0.3, long: 0.12, ranges: [[0x09, 0x0d]] },
  symbol: { first: 1.1, next: 0.67, long: 0.1, ranges: [[0x21, 0x2f], [0x3a, 0x40], [0x5b, 0x60], [0x7b, 0x7e]] },
  /** Greek and Cyrillic. */
  greek: { first: 1.2, next: 0.17, long: 0.5, ranges: [[0x370, 0x527]] },
  /** Armenian, Hebrew and Arabic. */
  arabic: { first: 0.8, next: 0.3, ranges: [[0x531, 0x77f]] },
  /** The scripts of India, Thai and Georgian. */
  indic: { first: 0.5, next: 0.4, ranges: [[0x900, 0xe7f], [0x10a0, 0x10ff]] },
  han: { first: 1, next: 0.76, long: 1, ranges: [[0x4e00, 0x9fff]] },
  kana: { first: 0.76, next: 0.66, ranges: [[0x3040, 0x30ff], [0xff66, 0xff9f]] },
  hangul: { first: 0.7, next: 0.68, ranges: [[0xac00, 0xd7a3]] },
  /** Punctuation and signs beyond ASCII, arrows, frames. */
  sign: {
    first: 0.87,
    next: 0.8,
    long: 0.3,
    ranges: [
      [0xa0, 0xbf],
      [0x2000, 0x206f],
      [0x20a0, 0x20bf],
      [0x2190, 0x21ff],
      [0x2500, 0x25ff],
      [0x3000, 0x303f],
      [0xfe0f, 0xfe0f],
      [0xff01, 0xff65]
    ]
  },
  /** Half of a character beyond the basic plane: emoji, mostly. */
  surrogate: { first: 1.1, next: 1.1, ranges: [[0xd800, 0xdfff]] },
  /** Whatever the vocabulary hardly knows, so that it is spelled out in bytes. */
  rare: { first: 2.1, next: 2.1, long: 1, ranges: [] }
} as const satisfies Record<string, CharacterClass>

type ClassName = keyof typeof classes

/** What depends on which class came before; `line` also stands for the start of a text. */
const pairs: ReadonlyArray<readonly [before: ClassName, after: ClassName, tokens: number]> = [
  ["space", "lower", 1.06],
  ["line", "lower", 1.06],
  ["symbol", "lower", 0.03],
  ["digit", "lower", 0.72],
  ["accented", "lower", 0.85],
  ["upper", "lower", 0.3],
  ["symbol", "upper", 1],
  ["digit", "upper", 0.97],
  ["lower", "upper", 0.75],
  ["vietnamese", "lower", 0.1],
  ["lower", "vietnamese", 0.1],
  ["accented", "vietnamese", 0.2],
  ["lower", "accented", 0.8],
  ["upper", "accented", 0.8],
  // A digit never shares a token with the space before it.
  ["space", "digit", 2.3],
  ["line", "digit", 0.62],
  ["line", "space", 0.95],
  ["symbol", "line", 0.41],
  ["space", "symbol", 0.6],
  ["line", "symbol", 0.83]
]

const names = Object.keys(classes) as ReadonlyArray<ClassName>
const all: ReadonlyArray<CharacterClass> = Object.values(classes)

/** Bits of a class's number. */
export const classBits = 5
export const lineClass = names.indexOf("line")
/** Classes up to this one make words. */
export const lastWordClass = names.indexOf("digit")

/** The class of each UTF-16 code unit: 64 kB. */
export const classOf = new Uint8Array(0x1_0000).fill(names.indexOf("rare"))

/** The row of what stands within a stretch of one character, whatever its class. */
export const stretchRow = all.length

/** By class before and class after: `before << classBits | after`. */
export const pairCosts = new Float64Array(stretchRow + 1 << classBits)

all.forEach((each: CharacterClass, after) => {
  for (const [from, to] of each.ranges) classOf.fill(after, from, to + 1)
  for (let before = 0; before < all.length; before++) {
    pairCosts[before << classBits | after] = before === after ? each.next : each.first
  }
  pairCosts[stretchRow << classBits | after] = each.long ?? each.next
})
for (const [before, after, tokens] of pairs) {
  pairCosts[names.indexOf(before) << classBits | names.indexOf(after)] = tokens
}
