/**
 * What one decision costs: the kernel alone, synchronous. Prints ns per decide and per decide + reserve + settle, the
 * best of several rounds, for 1, 4, 64 and 1,000 providers.
 */
import { best, ledgerOf, providersOf, usage } from "./support.ts"

const measure = (count: number) => {
  const { demand, ledger } = ledgerOf(providersOf(count, { requests: 1e9, tokens: 1e12 }))
  let now = 0
  const cycle = () => {
    now += 0.01
    const decision = ledger.reserve(demand, now)
    if (decision._tag !== "Granted") throw new Error("the benchmark ran into a limit")
    ledger.settle(decision.reservation, { _tag: "Success", usage, latencyMs: 400 }, now)
  }
  const iterations = Math.ceil(200_000 / count) + 500
  return { count, ns: best(iterations, cycle), decide: best(iterations, () => ledger.decide(demand)) }
}

console.log("providers  decide  decide+reserve+settle  budget of decide")
for (const count of [1, 4, 64, 1000]) {
  const { decide, ns } = measure(count)
  const budget = count === 4 ? "500 ns" : count === 1000 ? "15000 ns" : ""
  console.log(
    `${String(count).padStart(9)}  ${decide.toFixed(0).padStart(6)}  ${ns.toFixed(0).padStart(21)}  ${budget}`
  )
}
