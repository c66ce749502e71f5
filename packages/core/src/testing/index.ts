/**
 * @since 0.1.0
 */
export * from "./RouterTest.ts"
export { answer, failure, hang, pieces } from "./ScriptedProvider.ts"
export type { ScriptedOutcome, ScriptedProvider, SeenCall } from "./ScriptedProvider.ts"
