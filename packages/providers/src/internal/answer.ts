import { ProviderFailure } from "@route-llm/core"
import type { ProviderResponse, Usage } from "@route-llm/core"
import { isRecord } from "./json.ts"

/**
 * An answer that the vendor's filter ended before its first word is a refusal of the content. One that calls tools
 * ended for that, whatever the vendor calls it: Gemini always says "STOP", OpenAI where the caller named the tool.
 */
export const answer = (response: ProviderResponse): ProviderResponse => {
  const isCall = response.toolCalls !== undefined
  if (response.content === "" && !isCall && response.finishReason === "content_filter") {
    throw blocked(response.model, response.usage)
  }
  return isCall && response.finishReason === "stop" ? { ...response, finishReason: "tool_calls" } : response
}

export const blocked = (model: string, usage: Usage | undefined, reason = "content filter"): ProviderFailure =>
  new ProviderFailure({ class: "content_policy", message: `${model} refused the content (${reason}).`, usage })

const describe = (raw: unknown): string => {
  if (raw === undefined || raw === null || raw === "") return "an empty body"
  if (typeof raw === "string") return /^\s*</.test(raw) ? "an HTML page" : "plain text"
  return isRecord(raw) ? "JSON of another shape" : "JSON that is no object"
}

/** A body under status 200 that is not what the vendor's format allows. */
export const unreadable = (vendor: string, raw: unknown): ProviderFailure =>
  new ProviderFailure({
    class: "transient",
    message: `Expected ${vendor}, found ${describe(raw)}. Check the client's base URL if it stays so.`
  })

/** An error that a vendor reports in the body of a status 200, in the form SDKs throw. */
export class InBandError extends Error {
  override readonly name = "InBandError"
  readonly error: unknown
  constructor(error: unknown) {
    super("The vendor reported an error under status 200.")
    this.error = error
  }
}
