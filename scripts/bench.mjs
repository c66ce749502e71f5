// Runs a benchmark as what is shipped runs: compiled. A loader that compiles on the way gives each function its name when
// it is made, which is a tenth of what is timed here.
// `node scripts/bench.mjs packages/core/bench/kernel.ts [arguments]`
import { build } from "esbuild"
import { spawnSync } from "node:child_process"
import { basename, dirname, join, resolve } from "node:path"

const [file, ...args] = process.argv.slice(2)
// In its package, so that it finds what the package depends on.
const outfile = join(dirname(dirname(resolve(file))), "node_modules/.cache/bench", `${basename(file, ".ts")}.mjs`)
await build({
  entryPoints: [file],
  outfile,
  bundle: true,
  packages: "external",
  format: "esm",
  platform: "node",
  target: "node20",
  sourcemap: "inline",
  logLevel: "error"
})
const { status } = spawnSync(process.execPath, ["--expose-gc", "--enable-source-maps", outfile, ...args], {
  stdio: "inherit"
})
process.exitCode = status ?? 1
