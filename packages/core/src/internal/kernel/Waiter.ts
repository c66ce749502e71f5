import type { Decision, Demand } from "../../RouterState.ts"
import type { Kind } from "./Admission.ts"
import type { FirstFit, Item } from "./FirstFit.ts"

/** A request in line. */
export interface Waiter extends Item {
  readonly demand: Demand
  readonly arrivedMs: number
  readonly order: number
  readonly group: Group
  /** Called once, with what it waited for; never after it has left. */
  readonly resume: (decision: Decision) => void
  decision: Decision | undefined
}

/** Those in line that differ in the size of their input only. */
export interface Group {
  readonly kind: Kind
  readonly key: string
  readonly waiters: FirstFit<Waiter>
}

export const keyOf = ({ forceProvider, lane, maxTokens, tried }: Kind): string =>
  JSON.stringify([lane, maxTokens, forceProvider, tried])
