/**
 * @since 0.1.0
 */
export * from "./ChatRequest.ts"
export * from "./ChatResponse.ts"
export * from "./FailureClass.ts"
export * from "./Policy.ts"
export * from "./PromiseRouter.ts"
export * from "./Provider.ts"
export * from "./ProviderRegistry.ts"
export * from "./RateLimit.ts"
export * from "./Router.ts"
export * from "./RouterConfig.ts"
export * from "./RouterError.ts"
export * from "./RouterEvent.ts"
export * from "./RouterOptions.ts"
export * from "./RouterState.ts"
export * from "./Status.ts"
export * from "./TokenEstimator.ts"
