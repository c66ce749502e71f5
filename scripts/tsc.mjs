// TypeScript 7 with Effect's diagnostics built in; takes tsc's arguments. Errors and warnings of either make it fail.
import { execFileSync, spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"

// The package's own `lib/getExePath` refuses its platform packages' metadata in 0.45.0; its command does not.
const effectTsgo = fileURLToPath(new URL("../node_modules/@effect/tsgo/dist/effect-tsgo.cjs", import.meta.url))
const tsc = execFileSync(process.execPath, [effectTsgo, "get-exe-path"], { encoding: "utf8" }).trim()

process.exitCode = spawnSync(tsc, process.argv.slice(2), { stdio: "inherit" }).status ?? 1
