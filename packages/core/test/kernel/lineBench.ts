import { Ledger } from "../../src/internal/kernel/Ledger.ts"
import { Line } from "../../src/internal/kernel/Line.ts"
import type { Waiter } from "../../src/internal/kernel/Waiter.ts"
import type { ProviderSpec } from "../../src/Provider.ts"
import type { RouterSettings } from "../../src/RouterOptions.ts"
import type { Decision, Demand, Reservation, Settlement } from "../../src/RouterState.ts"
import { demandOn, settings } from "./support.ts"

const lineOf = (waiting: Partial<RouterSettings["waiting"]> = {}, more: Partial<RouterSettings> = {}) => {
  const all = { ...settings, ...more, waiting: { ...settings.waiting, ...waiting } }
  return new Line(new Ledger(all, () => {}), all.waiting)
}

/** A line in which each request has a name, and those served are noted in order. */
export const lineBench = (
  providers: ReadonlyArray<ProviderSpec>,
  waiting: Partial<RouterSettings["waiting"]> = {},
  more: Partial<RouterSettings> = {}
) => {
  const line = lineOf(waiting, more)
  const served: Array<string> = []
  const refused: Array<string> = []
  const reservations = new Map<string, Reservation>()
  const note = (name: string) => (decision: Decision) => {
    if (decision._tag === "Granted") {
      served.push(name)
      reservations.set(name, decision.reservation)
    } else refused.push(`${name}:${decision._tag}`)
  }
  const ask = (name: string, nowMs: number, demand: Partial<Demand> = {}): Decision | Waiter => {
    const heard = note(name)
    let resumed = false
    const asked = line.ask(
      demandOn(providers, { waitMs: Infinity, timeLeftMs: 120_000, ...demand }),
      nowMs,
      (decision) => {
        resumed = true
        heard(decision)
      }
    )
    if ("_tag" in asked && !resumed) heard(asked)
    return asked
  }
  /** Lets time pass as the dispatcher does: to each moment that the line asks for. */
  const passTo = (endMs: number, fromMs: number) => {
    let nowMs = fromMs
    for (let wakes = 0; nowMs + line.wakeInMs <= endMs; wakes++) {
      if (wakes > 10_000) throw new Error("the line is woken for nothing")
      nowMs += line.wakeInMs
      line.dispatch(nowMs)
    }
    line.dispatch(endMs)
  }
  const settle = (name: string, nowMs: number, outputTokens = 0, more: Partial<Settlement> = {}) => {
    const reservation = reservations.get(name)!
    const usage = { inputTokens: reservation.inputTokens, outputTokens }
    line.ledger.settle(reservation, { _tag: "Success", usage, latencyMs: 1, ...more } as Settlement, nowMs)
    line.dispatch(nowMs)
  }
  return { line, ask, passTo, settle, served, refused }
}
