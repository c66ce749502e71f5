/**
 * @since 0.1.0
 */
export * from "./SimulatedRequest.ts"
export * from "./SimulatedVendor.ts"
export * from "./Simulation.ts"
export * from "./Strategies.ts"
export * from "./Strategy.ts"
export * from "./VendorModel.ts"
export * from "./VirtualClock.ts"
export * from "./Workload.ts"
