/**
 * How many input tokens a request will take. An estimate only has to be near: what a vendor counts corrects it, by a
 * ratio that the ledger learns per provider. A `Context.Reference`: without a layer the heuristic is used.
 *
 * @since 0.1.0
 */
import { Context, Effect, Layer } from "effect"
import type { ChatRequest, ContentPart } from "./ChatRequest.ts"
import { heuristicTokens } from "./internal/heuristicTokens.ts"

/**
 * @since 0.1.0
 */
export interface TokenEstimatorService {
  /** Input tokens of the whole request: text, images and what each message adds. Never fails, whatever the text. */
  readonly estimate: (request: ChatRequest) => Effect.Effect<number>
}

/** What OpenAI's chat format adds to each message; others are near. */
const perMessage = 4

/** OpenAI's count of an image in low detail, and of a square of 1,024 pixels in high detail (vision guide). */
const perImage = { low: 85, high: 765 }

const partTokens = (part: ContentPart): number =>
  part.type === "text" ? heuristicTokens(part.text) : part.image_url.detail === "low" ? perImage.low : perImage.high

const contentTokens = (content: string | ReadonlyArray<ContentPart>): number =>
  typeof content === "string"
    ? heuristicTokens(content)
    : content.reduce((tokens, part) => tokens + partTokens(part), 0)

const heuristic: TokenEstimatorService = {
  estimate: ({ messages }) =>
    Effect.sync(() => messages.reduce((tokens, { content }) => tokens + perMessage + contentTokens(content), 0))
}

/**
 * @since 0.1.0
 */
export class TokenEstimator extends Context.Reference<TokenEstimator>()("@route-llm/core/TokenEstimator", {
  defaultValue: () => heuristic
}) {
  /** One pass over classes of characters: no vocabulary to load, linear in any text. */
  static readonly layerHeuristic: Layer.Layer<never> = Layer.succeed(this, heuristic)
}
