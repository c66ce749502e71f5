/**
 * What admission costs, the kernel alone:
 *
 * - ns per reserve + settle with four providers, at 10k, 100k and 1M requests a minute (the ring is as large at any);
 * - memory a provider, new and after a minute of such traffic;
 * - a line of 1,000 to 100,000 requests that wait: ns a request to join it and to be served from it, and the longest
 *   single step, which is how long the event loop is held;
 * - the same for 10,000 of which up to each names another `maxTokens`.
 */
import type { Ledger } from "../src/internal/kernel/Ledger.ts"
import { Line } from "../src/internal/kernel/Line.ts"
import type { Reservation } from "../src/RouterState.ts"
import { best, ledgerOf, providersOf, settings, usage } from "./support.ts"

const gc = globalThis.gc ?? (() => {})

const heldBytes = (): number => {
  gc()
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

const nsAt = (perMinute: number): number => {
  const { demand, ledger } = ledgerOf(providersOf(4, { requests: 1e9, tokens: 1e12 }))
  let now = 0
  return best(100_000, () => {
    now += 60_000 / perMinute
    const decision = ledger.reserve(demand, now)
    if (decision._tag === "Granted") {
      ledger.settle(decision.reservation, { _tag: "Success", usage, latencyMs: 400 }, now)
    }
  })
}

const kilobytesAt = (perMinute: number): number => {
  const count = 200
  const providers = providersOf(count, { requests: 1e9, tokens: 1e12 })
  const before = heldBytes()
  const { demand, ledger } = ledgerOf(providers)
  const calls = Math.min(perMinute, 100_000)
  for (let call = 0; call < calls; call++) {
    const now = (call * 60_000) / calls
    const forceProvider = providers[call % count]!.name
    const decision = ledger.reserve({ ...demand, forceProvider }, now)
    if (decision._tag === "Granted") {
      ledger.settle(decision.reservation, { _tag: "Success", usage, latencyMs: 400 }, now)
    }
  }
  const bytes = heldBytes() - before
  return ledger.open === 0 ? bytes / count / 1_024 : Number.NaN
}

const settleAll = (ledger: Ledger, reservations: ReadonlyArray<Reservation>, now: number): void => {
  for (const reservation of reservations) {
    ledger.settle(reservation, { _tag: "Success", usage, latencyMs: 400 }, now)
  }
}

/**
 * Joins a line before full providers, then serves it minute by minute, as the windows free. `kinds`: how many bounds of
 * output are asked for; 0: none.
 */
const drain = (waiters: number, kinds = 0) => {
  const providers = providersOf(4, { requests: Math.ceil(waiters / 8), tokens: 1e12 })
  const { demand, ledger } = ledgerOf(providers)
  const line = new Line(ledger, { ...settings.waiting, maxWaiting: waiters })
  let served: Array<Reservation> = []
  let count = 0
  const ask = (index: number, now: number) => {
    const inputTokens = 100 + (index * 7919) % 4_000
    const maxTokens = kinds === 0 ? undefined : 1 + index % kinds
    return line.ask({ ...demand, inputTokens, maxTokens, waitMs: Infinity, timeLeftMs: Infinity }, now, (decision) => {
      if (decision._tag === "Granted") served.push(decision.reservation)
      count++
    })
  }
  for (let index = 0; line.length === 0; index++) {
    const asked = ask(index, 0)
    if ("_tag" in asked && asked._tag === "Granted") settleAll(ledger, [asked.reservation], 0)
  }
  served = []
  count = 0
  const joining = process.hrtime.bigint()
  for (let index = 1; index < waiters; index++) ask(index, 0)
  const joined = process.hrtime.bigint()
  let longest = 0n
  let serving = 0n
  let now = 0
  while (line.length > 0) {
    now += line.wakeInMs
    const started = process.hrtime.bigint()
    line.dispatch(now)
    const took = process.hrtime.bigint() - started
    serving += took
    if (took > longest) longest = took
    settleAll(ledger, served, now)
    served = []
  }
  if (count !== waiters) throw new Error(`served ${count} of ${waiters}`)
  return {
    join: Number(joined - joining) / waiters,
    serve: Number(serving) / waiters,
    longestMs: Number(longest) / 1e6
  }
}

console.log("requests a minute  ns per reserve + settle  kB a provider (budget 16)")
for (const perMinute of [10_000, 100_000, 1_000_000]) {
  const ns = nsAt(perMinute).toFixed(0)
  console.log(
    `${String(perMinute).padStart(17)}  ${ns.padStart(23)}  ${kilobytesAt(perMinute).toFixed(1).padStart(24)}`
  )
}

console.log("\nwaiting   kinds  ns to join  ns to be served  longest step in ms")
for (const [waiters, kinds] of [[1_000, 0], [10_000, 0], [100_000, 0], [10_000, 1_000], [10_000, 10_000]] as const) {
  drain(waiters, kinds)
  const { join, longestMs, serve } = drain(waiters, kinds)
  console.log(
    `${String(waiters).padStart(7)}  ${String(Math.max(1, kinds)).padStart(6)}  ${join.toFixed(0).padStart(10)}  `
      + `${serve.toFixed(0).padStart(15)}  ${longestMs.toFixed(2).padStart(18)}`
  )
}
