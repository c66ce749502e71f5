import { FastCheck as fc } from "effect"
import { describe, expect, it } from "vitest"
import { heuristicTokens } from "../../src/internal/heuristicTokens.ts"
import { exactTokens } from "./exact.ts"
import { megabytes, samples } from "./samples.ts"

/** A string that counts how often it is read. */
class ReadText extends String {
  reads = 0
  override charCodeAt(index: number): number {
    this.reads++
    return super.charCodeAt(index)
  }
}

const ratio = (text: string): number => heuristicTokens([text]) / exactTokens(text)

describe("heuristicTokens", () => {
  it.each(Object.keys(samples) as Array<keyof typeof samples>)(
    "is at most 10 %% below and 25 %% above the exact count of %s",
    (name) => {
      const text = samples[name]
      expect(ratio(text)).toBeGreaterThan(0.9)
      expect(ratio(text)).toBeLessThan(1.25)
    }
  )

  it.each(
    [
      ["German", "Donaudampfschifffahrtsgesellschaften überprüfen ihre Fahrpläne vierteljährlich. "],
      ["Vietnamese", "Mùa đông năm ấy bến cảng đóng băng và ngư dân kéo thuyền lên quảng trường. "],
      ["Korean", "그해 겨울 항구가 얼어붙자 어부들은 배를 광장까지 끌어올리고 그물을 손질했다. "],
      ["Arabic", "في شتاء ذلك العام تجمد الميناء فسحب الصيادون قواربهم إلى الساحة. "],
      ["Hindi", "उस साल सर्दियों में बंदरगाह जम गया और मछुआरे अपनी नावें चौक तक खींच लाए। "],
      ["Amharic", "በዚያ ዓመት ክረምት ወደቡ ቀዘቀዘ "],
      ["hexadecimal", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\n"],
      ["minified code", "function e(t,n){var r=t[n];return r&&r.length>2?r.map(i=>i.k||0):[]}"]
    ]
  )("is within a factor of 1.65 upwards and 1.35 downwards for %s", (_, text) => {
    expect(ratio(text.repeat(5))).toBeGreaterThan(1 / 1.35)
    expect(ratio(text.repeat(5))).toBeLessThan(1.65)
  })

  // What o200k_base really takes, worked out with js-tiktoken on shorter runs: 8 of "a", 128 spaces, 16 line breaks.
  it.each(
    [["a", 8], [" ", 128], ["\n", 16], ["\t", 16], ["A", 8], ["0", 3], ["z", 2], ["\r\n", 4]] as const
  )("is never more than 4 times too high, and little too low, for a long run of %j", (text, repeatsPerToken) => {
    const estimated = heuristicTokens([text.repeat(500_000)])
    expect(estimated).toBeLessThan(4 * 500_000 / repeatsPerToken)
    expect(estimated).toBeGreaterThan(0.75 * 500_000 / repeatsPerToken)
  })

  it.each(Object.keys(megabytes) as Array<keyof typeof megabytes>)(
    "counts a megabyte of %s as a hundred times its first 1 %%",
    (name) => {
      const text = megabytes[name]()
      const start = heuristicTokens([text.slice(0, text.length / 100)])
      expect(heuristicTokens([text]) / (100 * start)).toBeGreaterThan(0.9)
      expect(heuristicTokens([text]) / (100 * start)).toBeLessThan(1.1)
    }
  )

  it("reads a bounded number of characters, of one text or of many", () => {
    const one = new ReadText("word ".repeat(1_000_000))
    heuristicTokens([one as unknown as string])
    expect(one.reads).toBeLessThanOrEqual(8_192 + 32)
    expect(one.reads).toBeGreaterThan(4_000)
    const many = Array.from({ length: 10_000 }, () => new ReadText("word ".repeat(100)))
    heuristicTokens(many as unknown as ReadonlyArray<string>)
    const reads = many.reduce((sum, text) => sum + text.reads, 0)
    expect(reads).toBeLessThanOrEqual(8_192 + 32)
    expect(reads).toBeGreaterThan(4_000)
  })

  it("lets no one part of a long text decide", () => {
    const [cheap, dear] = [megabytes.spaces().slice(0, 300_000), megabytes.base64().slice(0, 300_000)]
    const half = heuristicTokens([dear]) / 2
    for (const text of [cheap + dear, dear + cheap, cheap.slice(150_000) + dear + cheap.slice(150_000)]) {
      expect(heuristicTokens([text]) / half).toBeGreaterThan(1.7)
      expect(heuristicTokens([text]) / half).toBeLessThan(2.3)
    }
  })

  it("counts many texts as one of their length", () => {
    const texts = Array.from({ length: 500 }, (_, index) => samples.English.slice(index, index + 400))
    const together = texts.reduce((sum, text) => sum + heuristicTokens([text]), 0)
    expect(heuristicTokens(texts) / together).toBeGreaterThan(0.9)
    expect(heuristicTokens(texts) / together).toBeLessThan(1.1)
  })

  it("takes any string: a finite count, 0 only for none", () => {
    expect(heuristicTokens([])).toBe(0)
    expect(heuristicTokens(["", ""])).toBe(0)
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "binary", minLength: 1, maxLength: 50 }), { maxLength: 5 }), (texts) => {
        const tokens = heuristicTokens(texts)
        expect(tokens).toBeGreaterThanOrEqual(texts.length > 0 ? 1 : 0)
        expect(tokens).toBeLessThanOrEqual(4 * texts.join("").length)
      })
    )
    expect(heuristicTokens(["\ud800", "\udc00\ud800", "\ud800".repeat(20_000)])).toBeGreaterThan(1)
  })
})
