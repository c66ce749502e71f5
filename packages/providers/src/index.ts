/**
 * @since 0.1.0
 */
export * from "./Adapter.ts"
export * from "./Adapters.ts"
export * as Anthropic from "./Anthropic.ts"
export * from "./Classify.ts"
export * from "./FailureRule.ts"
export * as Gemini from "./Gemini.ts"
export * as Groq from "./Groq.ts"
export * as OpenAi from "./OpenAi.ts"
export * from "./ProviderOptions.ts"
