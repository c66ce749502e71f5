/**
 * @since 0.1.0
 */
export * as RouterHttp from "./http/RouterHttp.ts"
export * from "./LLMRouter.ts"
