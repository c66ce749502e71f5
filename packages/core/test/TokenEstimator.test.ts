import { describe, expect, it } from "@effect/vitest"
import { TokenEstimator } from "@route-llm/core"
import { Effect } from "effect"

const estimate = (content: string) =>
  Effect.flatMap(TokenEstimator, (estimator) => estimator.estimate({ messages: [{ role: "user", content }] }))

/** Tokens as js-tiktoken 1 counts them with `o200k_base`, and how far the heuristic may be off, as a factor either way. */
const samples: ReadonlyArray<readonly [name: string, text: string, tokens: number, factor: number]> = [
  ["English", "The quick brown fox jumps over the lazy dog. ".repeat(20), 201, 1.3],
  ["code", "const total = items.reduce((sum, item) => sum + item.price, 0);\n".repeat(20), 380, 1.3],
  ["numbers", "1234567 ".repeat(40), 160, 1.4],
  ["Chinese", "路由器把每个请求发给现在最好的提供者，".repeat(20), 300, 1.3],
  ["base64", "aGVsbG8gd29ybGQh".repeat(10), 101, 1.3]
]

describe("TokenEstimator", () => {
  for (const [name, text, tokens, factor] of samples) {
    it.effect(`is near for ${name}`, () =>
      Effect.map(estimate(text), (estimated) => {
        expect(estimated).toBeGreaterThan(tokens / factor)
        expect(estimated).toBeLessThan(tokens * factor)
      }))
  }

  it.effect("counts images and what each message adds", () =>
    Effect.gen(function*() {
      const estimator = yield* TokenEstimator
      const image = (detail: "low" | "high") => ({
        messages: [{
          role: "user" as const,
          content: [{ type: "image_url" as const, image_url: { url: "https://example.com/a.png", detail } }]
        }]
      })
      expect(yield* estimator.estimate(image("low"))).toBe(89)
      expect(yield* estimator.estimate(image("high"))).toBe(769)
    }))

  it.effect("never under-counts a long unbroken run, which takes many tokens", () =>
    Effect.map(estimate("aGVsbG8gd29ybGQh".repeat(1_000)), (tokens) => expect(tokens).toBeGreaterThan(9_000)))
})
