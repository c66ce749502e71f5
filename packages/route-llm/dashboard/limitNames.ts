import type { Dimension } from "@route-llm/core"

/** Each dimension in words, in the order in which they are listed. */
export const limitNames: ReadonlyArray<readonly [Dimension, string]> = [
  ["requests", "Requests a minute"],
  ["tokens", "Tokens a minute"],
  ["inputTokens", "Input tokens a minute"],
  ["outputTokens", "Output tokens a minute"],
  ["requestsPerDay", "Requests a day"],
  ["tokensPerDay", "Tokens a day"],
  ["concurrent", "Requests at one time"]
]
