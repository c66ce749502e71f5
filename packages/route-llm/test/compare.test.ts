import { strategies } from "@route-llm/core/simulation"
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { expect, it } from "vitest"
import { routeLlm } from "./command/run.ts"

interface Report {
  readonly strategy: string
  readonly served: number
  readonly ofBoundPct: number
  readonly refused: Readonly<Record<string, number>>
  readonly rateLimited: number
  readonly violations: ReadonlyArray<string>
}

const demo = (...args: ReadonlyArray<string>) => routeLlm(["demo", ...args])

const names = Object.values(strategies).map(({ name }) => name)

it("puts every strategy through the same traffic, and prints the same report each time", async () => {
  const args = ["--compare", "--json", "--duration", "10 seconds", "--seed", "3"]
  const [{ stdout }, again] = await Promise.all([demo(...args), demo(...args)])
  expect(again.stdout).toBe(stdout)
  const { maxWaitSeconds, strategies: reports, vendors, workload } = JSON.parse(stdout)
  expect({ maxWaitSeconds, workload }).toMatchObject({
    maxWaitSeconds: 30,
    workload: { source: "synthetic", seed: 3, minutes: 1 }
  })
  expect(vendors.map(({ name }: { name: string }) => name)).toEqual(["openai", "anthropic", "gemini", "groq"])
  expect(reports.map(({ strategy }: Report) => strategy)).toEqual(names)
  for (const { ofBoundPct, refused, served, strategy, violations } of reports as ReadonlyArray<Report>) {
    const ended = served + Object.values(refused).reduce((sum, count) => sum + count, 0)
    expect([strategy, ended, violations]).toEqual([strategy, workload.requests, []])
    expect(ofBoundPct).toBeCloseTo(served / reports.at(-1).served * 100, 1)
  }
}, 120_000)

it("prints what it ran and a row a strategy", async () => {
  const { stdout } = await demo("--compare", "--duration", "10 seconds", "--seed", "4")
  expect(stdout).toMatch(/^\d+ requests in 1 minutes \(synthetic, seed 4\), simulated on virtual time$/m)
  expect(stdout).toContain("at most 30 s of waiting a request; estimates off by a tenth")
  for (const name of names) expect(stdout).toContain(`\n  ${name}  `)
}, 60_000)

it("refuses options that have no meaning for it", async () => {
  const { code, stderr } = await demo("--compare", "--speed", "2")
  expect(code).toBe(2)
  expect(stderr).toContain("it takes neither --real nor --speed")
}, 60_000)

const trace = "../shared/data/azure-llm-conversation-2023.csv"
const hasTrace = existsSync(fileURLToPath(new URL(`../../../${trace}`, import.meta.url)))
if (!hasTrace) console.warn(`skipped: the production trace is not at ${trace}`)

it.skipIf(!hasTrace)("plays a trace", async () => {
  const { stdout } = await demo("--compare", "--json", "--duration", "20 seconds", "--trace", trace)
  const { strategies: reports, workload } = JSON.parse(stdout)
  expect(workload.source).toBe(trace)
  expect(workload.requests).toBeGreaterThan(150)
  expect(reports.map(({ strategy }: Report) => strategy)).toEqual(names)
}, 60_000)
