// Runs the tests once; arguments go to vitest. The last line says, for every CI that reads only that: N passed, N failed.
import { spawnSync } from "node:child_process"
import { existsSync, readFileSync, rmSync } from "node:fs"
import { fileURLToPath } from "node:url"

const cwd = fileURLToPath(new URL("..", import.meta.url))
const results = `${cwd}.cache/test-results.json`
rmSync(results, { force: true })

const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${results}`]
const forwarded = process.argv.slice(process.argv[2] === "--" ? 3 : 2)
const { status } = spawnSync(
  process.execPath,
  ["node_modules/vitest/vitest.mjs", "run", ...reporters, ...forwarded],
  { cwd, stdio: "inherit" }
)

const report = existsSync(results) ? JSON.parse(readFileSync(results, "utf8")) : { testResults: [] }
const { numFailedTests = 0, numPassedTests: passed = 0, numPendingTests = 0, numTodoTests = 0, testResults } = report
// A file that does not load, a hook that throws and an error outside of a test belong to no test, and fail all the same.
const failedTest = ({ status }) => status === "failed"
const broken = testResults.filter((file) => file.status === "failed" && !file.assertionResults.some(failedTest)).length
const stray = numFailedTests + broken === 0 && passed > 0 && status !== 0 ? 1 : 0
const failed = numFailedTests + broken + stray
const skipped = numPendingTests + numTodoTests

if (stray > 0) console.error("The tests passed, but vitest failed: see its errors above.")
if (passed + failed === 0) console.error("No test ran.")
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`)
process.exitCode = failed > 0 || passed === 0 ? 1 : 0
