// Every static check, in order. All of them run; one that fails fails the whole.
import { spawnSync } from "node:child_process"
import { delimiter } from "node:path"
import { fileURLToPath } from "node:url"

const checks = [
  ["oxlint: correctness, import cycles, files of at most 300 lines", "oxlint"],
  ["dprint: format (`pnpm format` mends it)", "dprint check"],
  ["tsc: types and Effect diagnostics", "node scripts/tsc.mjs -b"],
  ["knip: dead files, dead exports, dependencies", "knip"]
]

const cwd = fileURLToPath(new URL("..", import.meta.url))
const env = { ...process.env, PATH: `${cwd}node_modules/.bin${delimiter}${process.env.PATH}` }

const failed = checks.filter(([title, command]) => {
  console.log(`\n# ${title}`)
  return spawnSync(command, { cwd, env, shell: true, stdio: "inherit" }).status !== 0
})

console.log(`\nlint: ${failed.length === 0 ? "passed" : `failed (${failed.map(([title]) => title).join("; ")})`}`)
process.exitCode = failed.length === 0 ? 0 : 1
