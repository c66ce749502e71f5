/**
 * What one decision costs: the kernel alone, synchronous. Prints ns per decide and per decide + reserve + settle, the
 * best of several rounds, for 1, 4, 64 and 1,000 providers.
 */
import { Context } from "effect"
import { Ledger } from "../src/internal/kernel/Ledger.ts"
import { RouterOptions } from "../src/RouterOptions.ts"
import type { Demand } from "../src/RouterState.ts"

const settings = Context.get(Context.empty(), RouterOptions)
const rounds = 7

const best = (iterations: number, run: (index: number) => void): number => {
  let fastest = Number.POSITIVE_INFINITY
  for (let round = 0; round < rounds; round++) {
    const started = process.hrtime.bigint()
    for (let index = 0; index < iterations; index++) run(index)
    fastest = Math.min(fastest, Number(process.hrtime.bigint() - started) / iterations)
  }
  return fastest
}

const measure = (count: number) => {
  const providers = Array.from({ length: count }, (_, index) => ({
    name: `provider-${index}`,
    model: "model",
    requestLimit: 1e9,
    tokenLimit: 1e12,
    weight: 1 + (index % 7) / 10,
    chargesMaxTokens: false
  }))
  const demand: Demand = { providers, lane: "normal", inputTokens: 500, tried: [], draw: 0.5 }
  const ledger = new Ledger(settings, () => {})
  const usage = { inputTokens: 500, outputTokens: 200 }
  let now = 0
  const cycle = () => {
    now += 0.01
    const decision = ledger.reserve(demand, now)
    if (decision._tag === "Refused") throw new Error("the benchmark ran into a limit")
    ledger.settle(decision.reservation, { _tag: "Success", usage, latencyMs: 400 }, now)
  }
  const iterations = Math.ceil(200_000 / count) + 500
  return { count, ns: best(iterations, cycle), decide: best(iterations, () => ledger.decide(demand, now)) }
}

console.log("providers  decide  decide+reserve+settle  budget of decide")
for (const count of [1, 4, 64, 1000]) {
  const { decide, ns } = measure(count)
  const budget = count === 4 ? "500 ns" : count === 1000 ? "15000 ns" : ""
  console.log(
    `${String(count).padStart(9)}  ${decide.toFixed(0).padStart(6)}  ${ns.toFixed(0).padStart(21)}  ${budget}`
  )
}
