/**
 * How many input tokens a request will take. An estimate only has to be near: what a vendor counts corrects it, by a
 * ratio that the ledger learns per provider. A `Context.Reference`: without a layer the heuristic is used.
 *
 * | layer            | needs       | a text of up to 10,000 characters    | a megabyte of anything, never seen |
 * | ---------------- | ----------- | ------------------------------------ | ---------------------------------- |
 * | `layerHeuristic` | nothing     | 0.9–1.25 of the exact count for most | the same, in 2–4 ms                |
 * | `layerTiktoken`  | js-tiktoken | OpenAI's count by `o200k_base`       | 0.95–1.05 of it, in 2–8 ms         |
 *
 * Neither takes longer for any text, however it is made: a request has a bound of work, not only a text.
 *
 * ```ts
 * import { TokenEstimator } from "@route-llm/core"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const { estimate } = yield* TokenEstimator
 *   return yield* estimate({ messages: [{ role: "user", content: "How many tokens are these?" }] })
 * })
 *
 * console.log(await Effect.runPromise(Effect.provide(program, TokenEstimator.layerTiktoken)))
 * ```
 *
 * @since 0.1.0
 */
import { Context, Effect, Layer } from "effect"
import type { ChatRequest } from "./ChatRequest.ts"
import { heuristicTokens } from "./internal/heuristicTokens.ts"
import { loadEncoding } from "./internal/loadEncoding.ts"
import { type CountTexts, requestTokens } from "./internal/requestTokens.ts"
import { TiktokenTokens } from "./internal/tiktokenTokens.ts"
import type { MissingPackage } from "./RouterError.ts"

/**
 * @since 0.1.0
 */
export interface TokenEstimatorService {
  /**
   * Input tokens of the whole request: texts, tools, calls of tools, images and what each message adds. Never fails,
   * whatever the text.
   */
  readonly estimate: (request: ChatRequest) => Effect.Effect<number>
}

const make = (countTexts: CountTexts): TokenEstimatorService => ({
  estimate: (request) => Effect.sync(() => requestTokens(request, countTexts))
})

/**
 * @since 0.1.0
 */
export class TokenEstimator extends Context.Reference<TokenEstimator>()("@route-llm/core/TokenEstimator", {
  defaultValue: () => make(heuristicTokens)
}) {
  /** By classes of characters: nothing to load, and nothing remembered, since counting is as fast as finding again. */
  static readonly layerHeuristic: Layer.Layer<never> = Layer.sync(this, () => make(heuristicTokens))

  /**
   * By the vocabulary of GPT-4o and later, out of the package js-tiktoken: imported when the layer is built, which takes
   * 0.2 s and 15 MB once a process, and fails with `MissingPackage` where it is not installed. A vendor with another
   * tokenizer differs from it as it does from OpenAI, until its ratio is learned.
   *
   * Texts counted before are remembered, 4,000 of them and 2,000,000 characters at most, the least recently used
   * dropped first; so the nth turn of a conversation costs what is new in it.
   */
  static readonly layerTiktoken: Layer.Layer<never, MissingPackage> = Layer.effect(
    this,
    Effect.map(loadEncoding(() => import("js-tiktoken/ranks/o200k_base")), (encoding) => {
      const tiktoken = new TiktokenTokens(encoding)
      return make((texts) => tiktoken.count(texts))
    })
  )
}
