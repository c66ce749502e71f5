import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { expect, it } from "vitest"

const root = fileURLToPath(new URL("../../../", import.meta.url))

const demo = (...args: ReadonlyArray<string>) =>
  promisify(execFile)(process.execPath, [
    "node_modules/tsx/dist/cli.mjs",
    "--tsconfig",
    "tsconfig.base.json",
    "packages/route-llm/src/bin.ts",
    "demo",
    ...args
  ], { cwd: root })

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
  const failed = await demo("--json", "--trace", "README.md").catch((error: unknown) => error)
  expect(String((failed as { stdout: string }).stdout) + String((failed as { stderr: string }).stderr)).toContain(
    "README.md"
  )
}, 30_000)
