import { FastCheck as fc } from "effect"
import o200k from "js-tiktoken/ranks/o200k_base"
import { describe, expect, it } from "vitest"
import { BpeMerger, longestPiece } from "../../src/internal/BpeMerger.ts"
import { BpeVocabulary } from "../../src/internal/BpeVocabulary.ts"
import { heuristicTokens } from "../../src/internal/heuristicTokens.ts"
import { requestWork, TiktokenTokens, wholeLength } from "../../src/internal/tiktokenTokens.ts"
import { exactTokens } from "./exact.ts"
import { megabytes, samples } from "./samples.ts"

const pattern = new RegExp(o200k.pat_str, "gu")
const merger = new BpeMerger(new BpeVocabulary(o200k.bpe_ranks))
const noMemory = { entries: 0, characters: 0, shortest: Infinity }

const tokens = (...texts: ReadonlyArray<string>): number =>
  new TiktokenTokens({ pattern, pieces: merger }, noMemory).count(texts)

/** Counts as the merger does, and keeps what it was asked for. */
const recording = () => {
  const pieces: Array<string> = []
  const decoder = new TextDecoder()
  const count = (bytes: Uint8Array, from: number, to: number) => {
    pieces.push(decoder.decode(bytes.subarray(from, to)))
    return merger.count(bytes, from, to)
  }
  return { pieces, encoding: { pattern, pieces: { count } } }
}

/** Takes every piece for one that is in no vocabulary, at one token a byte: the most work there can be. */
const worstCase = () => {
  const seen = { longest: 0, bytes: 0, calls: 0 }
  const count = (_: Uint8Array, from: number, to: number) => {
    seen.longest = Math.max(seen.longest, to - from)
    seen.bytes += to - from
    seen.calls++
    return to - from
  }
  return { seen, encoding: { pattern, pieces: { count } } }
}

const units = [
  ..."aZ9 \n\t_{.'你，。ёéก한あ😀\u0301\u00a0\ud83d\u0001",
  "the ",
  " Router",
  "1234",
  "'LL",
  "\r\n",
  "    ",
  "Привет",
  "=>",
  "<|endoftext|>",
  "<|endofprompt|>",
  "👨‍👩‍👧",
  "xqzkvj"
]
const mixes = fc.array(fc.constantFrom(...units), { maxLength: 60 }).map((parts) => parts.join(""))

describe("TiktokenTokens, exactly", () => {
  it.each(Object.keys(samples) as Array<keyof typeof samples>)("counts %s as js-tiktoken does", (name) => {
    expect(tokens(samples[name])).toBe(exactTokens(samples[name]))
  })

  it.each(["a", "z", "=", " ", "\n", "ab", "Ж", "你", "한", "😀", "0", "\ud800"])(
    "counts an unbroken run of %j as js-tiktoken does",
    (text) => {
      const run = text.repeat(255 / text.length)
      expect(tokens(run)).toBe(exactTokens(run))
      expect(tokens(`so ${run}, and on`)).toBe(exactTokens(`so ${run}, and on`))
    }
  )

  it("counts any mix of scripts, signs, special tokens and broken surrogates as js-tiktoken does", () => {
    const anything = fc.oneof({ weight: 4, arbitrary: mixes }, fc.string({ unit: "binary", maxLength: 40 }))
    const check = fc.property(anything, (text) => {
      expect(tokens(text)).toBe(exactTokens(text))
    })
    fc.assert(check, { numRuns: 500 })
  })

  it("takes special tokens for text", () => {
    expect(tokens("<|endoftext|>")).toBe(7)
    expect(tokens("")).toBe(0)
  })

  it("is exact up to its length for each text, and for several of them", () => {
    const prose = samples.English.repeat(3).slice(0, wholeLength)
    expect(tokens(prose)).toBe(exactTokens(prose))
    expect(tokens(samples.English, samples.JSON, samples.code)).toBe(
      exactTokens(samples.English) + exactTokens(samples.JSON) + exactTokens(samples.code)
    )
  })
})

describe("TiktokenTokens, beyond", () => {
  it.each(Object.keys(megabytes) as Array<keyof typeof megabytes>)("is within 7 %% for a megabyte of %s", (name) => {
    const text = megabytes[name]()
    const uncut = new TiktokenTokens({ pattern, pieces: merger }, noMemory)
    // The texts repeat themselves, so a hundred parts of one length stand for the whole; each is within the work.
    const part = 2_500
    let exact = 0
    for (let nth = 0; nth < 100; nth++) exact += uncut.count([text.slice(nth * part, (nth + 1) * part)])
    const expected = exact * text.length / (100 * part)
    expect(tokens(text) / expected).toBeGreaterThan(0.93)
    expect(tokens(text) / expected).toBeLessThan(1.07)
  })

  it("sees what its sample missed in what the heuristic saw", () => {
    // Words that tell where they stand, so that the places of the sample are known.
    const word = (at: number) => ` ${Array.from(String(at).padStart(5, "0"), (digit) => "abcdefghij"[+digit]).join("")}`
    const words = Array.from({ length: 50_000 }, (_, at) => word(at))
    const { encoding, pieces } = recording()
    new TiktokenTokens(encoding, noMemory).count([words.join("")])
    const read = new Set(pieces)
    // Where nothing was read: as many characters, one token each instead of two or three a word.
    const isUnread = (at: number) => [-1, 0, 1].every((by) => !read.has(word(at + by)))
    const text = words.map((each, at) => isUnread(at) ? "#%&~^@" : each).join("")
    // The sample alone would say the same of both, less than half of what it is.
    const exact = text.length
    expect(tokens(words.join(""))).toBeLessThan(0.5 * exact)
    expect(tokens(text)).toBeGreaterThan(0.8 * exact)
    expect(tokens(text)).toBeLessThan(1.6 * exact)
  })
})

describe("TiktokenTokens, whatever is sent", () => {
  const hostile: Record<string, () => ReadonlyArray<string>> = {
    ...Object.fromEntries(Object.entries(megabytes).map(([name, make]) => [`a megabyte of ${name}`, () => [make()]])),
    "the longest text that is counted whole, unbroken": () => ["你".repeat(wholeLength)],
    "300 such texts": () => Array.from({ length: 300 }, (_, index) => "a".repeat(9_000 + index)),
    "100,000 short texts": () => Array.from({ length: 100_000 }, (_, index) => `你好${index}`),
    "300 texts of spaces that are sampled": () => Array.from({ length: 300 }, (_, index) => " ".repeat(20_000 + index))
  }

  it.each(Object.keys(hostile))("does bounded work, on pieces of bounded length: %s", (name) => {
    const texts = hostile[name]!()
    const { encoding, seen } = worstCase()
    const counted = new TiktokenTokens(encoding).count(texts)
    expect(seen.longest).toBeLessThanOrEqual(longestPiece)
    expect(seen.bytes).toBeLessThanOrEqual(requestWork + longestPiece)
    expect(seen.bytes).toBeGreaterThan(requestWork / 8)
    expect(Number.isFinite(counted)).toBe(true)
    expect(counted).toBeGreaterThanOrEqual(texts.length)
  })

  it("estimates a text sensibly, however much the texts before it have left of the work", () => {
    // Its first piece is one token of one character, unlike all the rest.
    const prose = `7 ${samples.English.repeat(2)}`
    const exact = exactTokens(prose)
    const letters = megabytes.letters()
    const before: Array<string> = []
    for (let nth = 0; nth < 45; nth++) {
      before.push(letters.slice(nth * 400, nth * 400 + 400))
      const estimated = tokens(...before, prose) - tokens(...before)
      expect(estimated / exact).toBeGreaterThan(0.9)
      expect(estimated / exact).toBeLessThan(1.25)
    }
  })

  it("agrees with the heuristic within a factor of 4 on any mix of scripts", () => {
    fc.assert(fc.property(fc.array(mixes, { minLength: 1, maxLength: 4 }), (texts) => {
      const [exact, estimated] = [tokens(...texts), heuristicTokens(texts)]
      // A few characters can lie further apart than that.
      expect(estimated).toBeLessThanOrEqual(4 * exact + 10)
      expect(exact).toBeLessThanOrEqual(4 * estimated + 10)
    }))
  })
})

describe("TiktokenTokens, in a conversation", () => {
  const turn = (nth: number) => `Turn ${nth}: ${samples.English.slice(nth * 100, nth * 100 + 500)}`

  it("counts only what is new", () => {
    const { encoding, pieces } = recording()
    const tiktoken = new TiktokenTokens(encoding)
    const first = tiktoken.count([turn(1), turn(2)])
    expect(pieces.join("")).toBe(turn(1) + turn(2))
    pieces.length = 0
    const second = tiktoken.count([turn(1), turn(2), turn(3)])
    expect(pieces.join("")).toBe(turn(3))
    expect(second).toBe(first + exactTokens(turn(3)))
  })

  it("counts a text again that was pushed out", () => {
    const { encoding, pieces } = recording()
    const tiktoken = new TiktokenTokens(encoding, { entries: 2, characters: 10_000, shortest: 10 })
    tiktoken.count([turn(1), turn(2), turn(3)])
    pieces.length = 0
    tiktoken.count([turn(3)])
    expect(pieces).toEqual([])
    tiktoken.count([turn(1)])
    expect(pieces.join("")).toBe(turn(1))
  })

  it("remembers the count of a long text as well", () => {
    const { encoding, pieces } = recording()
    const tiktoken = new TiktokenTokens(encoding)
    const first = tiktoken.count([megabytes.Chinese()])
    pieces.length = 0
    expect(tiktoken.count([megabytes.Chinese()])).toBe(first)
    expect(pieces).toEqual([])
  })

  it("comes to the exact count of a conversation that is too much work for one request", () => {
    const turns = Array.from({ length: 40 }, (_, nth) => `${nth}${samples.Russian}`)
    const exact = turns.reduce((sum, text) => sum + exactTokens(text), 0)
    const tiktoken = new TiktokenTokens({ pattern, pieces: merger })
    const counts = Array.from({ length: 40 }, () => tiktoken.count(turns))
    expect(counts[0]).not.toBe(exact)
    expect(counts[0]! / exact).toBeGreaterThan(0.9)
    expect(counts.at(-1)).toBe(exact)
  })
})
