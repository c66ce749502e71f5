// Compiles every package's src into its dist, from nothing, so that no deleted module is left behind; and makes of the
// command a few files that start fast, with the dashboard's page beside them.
import { spawnSync } from "node:child_process"
import { existsSync, readdirSync, rmSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { bundleCommand } from "./bundleCommand.mjs"

process.chdir(fileURLToPath(new URL("..", import.meta.url)))
const packages = readdirSync("packages")
  .map((name) => `packages/${name}`)
  .filter((path) => existsSync(`${path}/tsconfig.json`))
for (const path of packages) rmSync(`${path}/dist`, { recursive: true, force: true })

const { status } = spawnSync(process.execPath, ["scripts/tsc.mjs", "-b", ...packages], { stdio: "inherit" })
process.exitCode = status ?? 1

if (status === 0) await bundleCommand("packages/route-llm/dist/cli")
