import { expect, it } from "vitest"
import { demo, failureOf } from "./cli.ts"

it("plays the same traffic through the chain and through route-llm, which meets no 429", async () => {
  const { stdout } = await demo("--json", "--duration", "1 minute", "--seed", "3", "--speed", "20")
  const { strategies: [chain, router], workload } = JSON.parse(stdout)
  const ended = ({ refused, served }: { served: number; refused: Record<string, number> }) =>
    served + Object.values(refused).reduce((sum, count) => sum + count, 0)
  expect(workload).toMatchObject({ source: "synthetic", speed: 20, seed: 3 })
  expect([ended(chain), ended(router)]).toEqual([workload.requests, workload.requests])
  expect(router).toMatchObject({ strategy: "route-llm", rateLimited: 0 })
  expect(Object.keys(router.refused).filter((reason) => reason !== "NoCapacity")).toEqual([])
  expect(chain.rateLimited).toBeGreaterThan(0)
}, 60_000)

it("names the file and line of a trace that it cannot read", async () => {
  expect(await failureOf("--json", "--trace", "README.md")).toContain("README.md")
}, 30_000)
