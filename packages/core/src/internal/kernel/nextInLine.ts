import { largestInput } from "./Admission.ts"
import type { ProviderLedger } from "./ProviderLedger.ts"
import type { Group, Waiter } from "./Waiter.ts"
import type { Waiters } from "./Waiters.ts"

interface Found {
  readonly first: Waiter | undefined
  readonly next: Waiter | undefined
  /** Asked of providers for it. */
  readonly questions: number
}

/** Sizes are whole tokens, and what is free of a limit is off by less than this. */
const roundedUp = (size: number): number => size < 0 ? size : size * (1 + 1e-9) + 0.01

/** The first in line, and the first among those that fit now. `below`: what a group's is smaller than. */
export const nextInLine = (
  waiters: Waiters,
  providers: ReadonlyArray<ProviderLedger>,
  below: ReadonlyMap<Group, number>
): Found => {
  let first: Waiter | undefined
  let next: Waiter | undefined
  let questions = 0
  for (const group of waiters.groups) {
    const head = waiters.firstOf(group)
    if (head === undefined) continue
    if (first === undefined || waiters.isBefore(head, first)) first = head
    if (next !== undefined && !waiters.isBefore(head, next)) continue
    let size = -1
    for (const provider of providers) size = Math.max(size, largestInput(provider, group.kind))
    questions += providers.length
    size = Math.min(roundedUp(size), below.get(group) ?? Number.POSITIVE_INFINITY)
    const waiter = waiters.firstOf(group, size)
    if (waiter !== undefined && (next === undefined || waiters.isBefore(waiter, next))) next = waiter
  }
  return { first, next, questions }
}
