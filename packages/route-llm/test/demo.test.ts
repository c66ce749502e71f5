import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { expect, it } from "vitest"
import { root, routeLlm } from "./command/run.ts"

/** On the sources, as `pnpm demo` runs it. */
const demo = (...args: ReadonlyArray<string>) =>
  promisify(execFile)(process.execPath, ["--import", "tsx", "packages/route-llm/src/bin.ts", "demo", ...args], {
    cwd: root,
    env: { ...process.env, TSX_TSCONFIG_PATH: "tsconfig.base.json" }
  })

it("plays the same traffic through the chain and through route-llm, which meets no 429", async () => {
  const { stdout } = await demo("--json", "--duration", "30 seconds", "--seed", "3", "--speed", "20")
  const { strategies: [chain, router], workload } = JSON.parse(stdout)
  const ended = ({ refused, served }: { served: number; refused: Record<string, number> }) =>
    served + Object.values(refused).reduce((sum, count) => sum + count, 0)
  expect(workload).toMatchObject({ source: "synthetic", speed: 20, seed: 3 })
  expect([ended(chain), ended(router)]).toEqual([workload.requests, workload.requests])
  expect(router).toMatchObject({ strategy: "route-llm", rateLimited: 0 })
  expect(Object.keys(router.refused).filter((reason) => reason !== "NoCapacity")).toEqual([])
  expect(chain.rateLimited).toBeGreaterThan(0)
}, 120_000)

it("names the file and line of a trace that it cannot read", async () => {
  const { code, stderr } = await routeLlm(["demo", "--json", "--trace", "README.md"])
  expect(code).toBe(1)
  expect(stderr).toContain("README.md")
}, 30_000)
