import type { RouterSettings } from "../../RouterOptions.ts"
import type { Decision, Demand } from "../../RouterState.ts"
import { type Kind, laneRank } from "./Admission.ts"
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

/** Who of the two is served first. */
export const isBefore = (
  one: Waiter,
  other: Waiter,
  { ageing, order }: Pick<RouterSettings["waiting"], "ageing" | "order">
): boolean => {
  const lanes = laneRank[one.demand.lane] - laneRank[other.demand.lane]
  if (order === "lifo") return lanes === 0 ? one.order > other.order : lanes < 0
  const headStartMs = lanes === 0 ? 0 : lanes * ageing
  const arrivedMs = lanes === 0 ? one.order - other.order : one.arrivedMs - other.arrivedMs
  return arrivedMs + headStartMs < 0
}
