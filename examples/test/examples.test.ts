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
  "opentelemetry.ts": [
    "span chat openai-model: overloaded, under Router.chat",
    "span chat anthropic-model: ok, under Router.chat",
    "span Router.chat: ok",
    "gen_ai.client.operation.duration [s] chat, openai, openai-model, overloaded",
    "gen_ai.client.operation.duration [s] chat, anthropic, anthropic-model, anthropic-model",
    "route_llm.fallbacks [1] openai, anthropic, overloaded",
    "gen_ai.client.token.usage [{token}] chat, anthropic, anthropic-model, anthropic-model, input",
    "gen_ai.client.token.usage [{token}] chat, anthropic, anthropic-model, anthropic-model, output",
    "route_llm.limit [1] openai, requests",
    "route_llm.limit [1] anthropic, requests"
  ],
  "priorities.ts": [
    "No provider can take the request now. only: full (needs 1 of 8 requests), free in 60.1 s. Try again in 60.1 s, or add a provider.",
    "high priority: only"
  ],
  "streaming.ts": [
    "I wandered lonely as a cloud",
    "That floats on high o'er vales and hills",
    "",
    "I wandered lonely as a  … (anthropic: network; once more)",
    "I wandered lonely as a cloud",
    "That floats on high o'er vales and hills",
    "",
    "14 tokens from openai, attempt 2"
  ],
  "waiting.ts": [
    "0 s: first",
    "0 s: second",
    "60.1 s: urgent",
    "60.1 s: patient",
    "120.2 s: leisurely",
    "hurried: No provider can take the request now. only: full (needs 1 of 2 requests), free in 60.1 s. "
    + "Try again in 60.1 s, or add a provider."
  ]
}

it("every example has its output here", () => {
  expect(readdirSync(`${root}examples`).filter((name) => name.endsWith(".ts"))).toEqual(Object.keys(printed))
})

it.each(Object.entries(printed))("%s prints what it says", (name, lines) => {
  const args = ["node_modules/tsx/dist/cli.mjs", "--tsconfig", "tsconfig.base.json", `examples/${name}`]
  expect(execFileSync(process.execPath, args, { cwd: root, encoding: "utf8" }).trimEnd().split("\n")).toEqual(lines)
}, 30_000)
