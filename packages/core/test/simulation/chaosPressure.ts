/** Whether the router made a bad time worse: calls to who cannot answer, and retries beyond their budget. */
import { RouterOptions } from "@route-llm/core"
import { Effect } from "effect"
import type { Played } from "./chaosPlay.ts"
import type { VendorRecord } from "./chaosRecord.ts"
import { isServed } from "./chaosServable.ts"

const { burst, ratio } = Effect.runSync(RouterOptions.make({})).retryBudget

/** What opens a circuit or a bench, and what is under way by then. */
const atFirst = 30

/** A call in so many ms after that: probes, and last resorts while nobody is in service. */
const everyMs = 2_000

/** Bad times in which every call fails, and that were called more often than that. */
export const hammered = ({ calls, model, name }: VendorRecord): ReadonlyArray<string> => {
  const endMs = calls.at(-1)?.sentMs ?? 0
  return model.conditions.flatMap((condition) => {
    if (condition.does !== "fail" || condition.share < 1) return []
    const { from, until } = condition
    const count = calls.filter(({ result, sentMs }) => result !== "answered" && from <= sentMs && sentMs < until).length
    return count <= atFirst + Math.max(0, Math.min(until, endMs) - from) / everyMs
      ? []
      : [`${name}: ${count} calls while ${condition.class} from ${from} until ${until} ms`]
  })
}

/**
 * The retry budget, played anew from outside: an answer saves up a part of a call, and a call that comes back to a vendor
 * whose failure was no 429 spends one. What it was at its lowest, and how many came back.
 */
export const retries = (played: ReadonlyArray<Played>): { readonly count: number; readonly lowest: number } => {
  const again = played.flatMap(({ calls }) =>
    calls.filter(({ vendor }, index) =>
      calls.slice(0, index).some((before) => before.vendor === vendor && before.result !== "rate_limit")
    )
  )
  const steps = [
    ...played.filter(isServed).map(({ endedMs }) => ({ atMs: endedMs, by: ratio })),
    ...again.map(({ sentMs }) => ({ atMs: sentMs, by: -1 }))
  ].sort((a, b) => a.atMs - b.atMs || b.by - a.by)
  let budget = burst
  let lowest = burst
  for (const { by } of steps) {
    budget = Math.min(burst, budget + by)
    lowest = Math.min(lowest, budget)
  }
  return { count: again.length, lowest }
}
