import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { expect, it } from "vitest"
import { root, routeLlm } from "./command/run.ts"

it("plays the same traffic through the chain and through route-llm, which meets no 429", async () => {
  const { stdout } = await routeLlm(["demo", "--json", "--duration", "30 seconds", "--seed", "3", "--speed", "20"])
  const { strategies: [chain, router], workload } = JSON.parse(stdout)
  const ended = ({ refused, served }: { served: number; refused: Record<string, number> }) =>
    served + Object.values(refused).reduce((sum, count) => sum + count, 0)
  expect(workload).toMatchObject({ source: "synthetic", speed: 20, seed: 3 })
  expect([ended(chain), ended(router)]).toEqual([workload.requests, workload.requests])
  expect(router).toMatchObject({ strategy: "route-llm", rateLimited: 0 })
  expect(Object.keys(router.refused).filter((reason) => reason !== "NoCapacity")).toEqual([])
  expect(chain.rateLimited).toBeGreaterThan(0)
}, 60_000)

/** On the sources, as `pnpm demo` runs it. */
const onSources = ["--import", "tsx", "packages/route-llm/src/bin.ts", "demo"]

it("names the file and line of a trace that it cannot read", async () => {
  const env = { ...process.env, TSX_TSCONFIG_PATH: "tsconfig.base.json" }
  const running = promisify(execFile)(process.execPath, [...onSources, "--json", "--trace", "README.md"], {
    cwd: root,
    env
  })
  await expect(running).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining("README.md") })
}, 60_000)
