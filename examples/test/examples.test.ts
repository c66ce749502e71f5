import { execFileSync } from "node:child_process"
import { readdirSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { expect, it } from "vitest"

const root = fileURLToPath(new URL("../../", import.meta.url))

/** What each example prints. */
const printed: Readonly<Record<string, ReadonlyArray<string>>> = {
  "byoc.ts": [
    "attempt 1: openai, overloaded",
    "attempt 2: anthropic, success",
    "anthropic answered in 4 words",
    "anthropic: 1 of 50 requests used"
  ],
  "priorities.ts": [
    "No provider can take the request now. only: requests_full (free in 60.1 s). Try again in 60.1 s, or add a provider.",
    "high priority: only"
  ]
}

it("every example has its output here", () => {
  expect(readdirSync(`${root}examples`).filter((name) => name.endsWith(".ts"))).toEqual(Object.keys(printed))
})

it.each(Object.entries(printed))("%s prints what it says", (name, lines) => {
  const args = ["node_modules/tsx/dist/cli.mjs", "--tsconfig", "tsconfig.base.json", `examples/${name}`]
  expect(execFileSync(process.execPath, args, { cwd: root, encoding: "utf8" }).trimEnd().split("\n")).toEqual(lines)
}, 30_000)
