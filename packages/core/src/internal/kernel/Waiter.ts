import type { Decision, Demand } from "../../RouterState.ts"
import type { Kind } from "./Admission.ts"
import type { FirstFit, Item } from "./FirstFit.ts"

/** A request in line. */
export interface Waiter extends Item {
  readonly demand: Demand
  readonly arrivedMs: number
  readonly order: number
  readonly group: Group
  /**
   * Called once, with what it waited for; never after it has left. Of a tentative line: with each grant that is tried, and
   * once with anything else.
   */
  readonly resume: (decision: Decision) => void
  decision: Decision | undefined
}

/** Those in line that differ in the size of their input, and by less than a step in `maxTokens`. */
export interface Group {
  readonly key: string
  /** The key without `maxTokens`: of two groups of one family, the one of the larger answers fits no sooner. */
  readonly family: string
  /** With the largest `maxTokens` of those that came: what fits for it fits for all. */
  kind: Kind
  readonly waiters: FirstFit<Waiter>
}

/**
 * Eight steps an octave, so that a line has at most a hundred or so groups of one family whatever its requests ask for.
 * Up to 15 tokens a step is exact.
 */
const stepOf = (maxTokens: number): number => {
  const size = 2 ** Math.max(0, Math.floor(Math.log2(Math.max(1, maxTokens))) - 3)
  return Math.ceil(maxTokens / size) * size
}

/** The keys of the group that a request joins. */
export const keysOf = ({ forceProvider, lane, lastResort, maxTokens, tried }: Kind): Pick<Group, "key" | "family"> => {
  const isFree = forceProvider === undefined && tried.length === 0
  const candidates = isFree ? "" : JSON.stringify([forceProvider, [...tried].sort()])
  const family = `${lane}${maxTokens === undefined ? "?" : ""}${lastResort === false ? "!" : ""}${candidates}`
  return { family, key: maxTokens === undefined ? family : `${family}#${stepOf(maxTokens)}` }
}
