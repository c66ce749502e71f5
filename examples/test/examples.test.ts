import { execFileSync } from "node:child_process"
import { readdirSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { beforeAll, describe, expect, it } from "vitest"
import { anyRedis } from "../../packages/redis/test/rigs/redisServer.ts"
import { skips, suiteRig } from "../../packages/redis/test/rigs/suite.ts"
import { bundled } from "../../test/bundled.ts"

const root = fileURLToPath(new URL("../../", import.meta.url))

/** What each example prints. */
const printed: Readonly<Record<string, ReadonlyArray<string>>> = {
  "byoc.ts": [
    "attempt 1: openai, overloaded",
    "attempt 2: anthropic, success",
    "anthropic answered in 4 words",
    "anthropic: 1 of 50 requests used"
  ],
  "fleet.ts": [
    "one: answered by groq",
    "other: answered by groq",
    "one: answered by groq",
    "other: NoCapacity",
    "one sees 3 of 3 requests used",
    "other sees 3 of 3 requests used"
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
  "prometheus.ts": [
    "text/plain; version=0.0.4; charset=utf-8",
    "route_llm_fallbacks_total{from=\"first\",to=\"second\",because=\"overloaded\"} 1",
    "route_llm_limit{provider=\"first\",dimension=\"requests\"} 500",
    "route_llm_limit{provider=\"second\",dimension=\"requests\"} 50",
    "route_llm_limit_used{provider=\"first\",dimension=\"requests\"} 1",
    "route_llm_limit_used{provider=\"second\",dimension=\"requests\"} 1"
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

/** Beside the examples, so that what they import by name is found. */
const folder = `${root}examples/.cache/examples`

beforeAll(() => bundled(Object.keys(printed).map((name) => `${root}examples/${name}`), folder), 60_000)

const run = (name: string, env: NodeJS.ProcessEnv = process.env): ReadonlyArray<string> => {
  const args = ["--enable-source-maps", `${folder}/${name.replace(/\.ts$/, ".mjs")}`]
  return execFileSync(process.execPath, args, { cwd: root, encoding: "utf8", env }).trimEnd().split("\n")
}

const needsRedis = "fleet.ts"

it.each(Object.keys(printed).filter((name) => name !== needsRedis))("%s prints what it says", (name) => {
  expect(run(name)).toEqual(printed[name])
}, 30_000)

describe.skipIf(skips("any"))("on a Redis", () => {
  const rig = suiteRig(anyRedis, ({ flush }) => flush)

  it(`${needsRedis} prints what it says`, () => {
    expect(run(needsRedis, { ...process.env, REDIS_URL: rig().url })).toEqual(printed[needsRedis])
  }, 30_000)
})
