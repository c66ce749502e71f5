import { describe, expect, it } from "@effect/vitest"
import { MissingPackage } from "@route-llm/core"
import { Effect } from "effect"
import o200k from "js-tiktoken/ranks/o200k_base"
import { loadEncoding } from "../../src/internal/loadEncoding.ts"

describe("loadEncoding", () => {
  it.effect("fails with MissingPackage where js-tiktoken is not installed, and says what to do", () =>
    Effect.gen(function*() {
      const absent: string = "js-tiktoken-that-is-not-installed/ranks/o200k_base"
      const error = yield* Effect.flip(loadEncoding(() => import(absent)))
      expect(error).toBeInstanceOf(MissingPackage)
      expect(error.message).toBe("TokenEstimator.layerTiktoken needs the package js-tiktoken: npm install js-tiktoken")
    }))

  it.effect("builds the vocabulary once for all that ask for it, also after a failure", () =>
    Effect.gen(function*() {
      yield* Effect.flip(loadEncoding(() => Promise.reject(new Error("not yet"))))
      const first = yield* loadEncoding(async () => ({ default: o200k }))
      expect(yield* loadEncoding(async () => ({ default: o200k }))).toBe(first)
    }))

  it.effect("reads js-tiktoken's form: lines that begin with the rank of their first token", () =>
    Effect.gen(function*() {
      // "a" to "d" and "bc", then "ab" and "cd" on a line of their own: "bc" goes before them.
      const ranks = { pat_str: "\\S+|\\s+", bpe_ranks: "! 0 YQ== Yg== Yw== ZA== YmM=\n! 5 YWI= Y2Q=" }
      const { pieces } = yield* loadEncoding(async () => ({ default: ranks }))
      const count = (text: string) => pieces.count(new TextEncoder().encode(text), 0, text.length)
      expect(["a", "ab", "abc", "abd", "abcd", "cdab", "ba"].map(count)).toEqual([1, 1, 2, 2, 3, 2, 2])
    }))
})
