/**
 * @since 0.1.0
 */
export * from "./Fault.ts"
export * from "./LatencyModel.ts"
export * from "./LoopbackVendor.ts"
export * from "./Observed.ts"
