import { Effect } from "effect"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { parse } from "yaml"
import { promised, run } from "../http/support.ts"
import { root, routeLlm } from "./run.ts"

const written = (text: string) =>
  Effect.gen(function*() {
    const folder = yield* Effect.acquireRelease(
      promised(() => mkdtemp(join(tmpdir(), "route-llm-"))),
      (path) => Effect.promise(() => rm(path, { recursive: true }))
    )
    const path = join(folder, "router.yaml")
    yield* promised(() => writeFile(path, text))
    return path
  })

const wrong = `providers:
  - name: openai
    api_key: canary
    rpm_limt: 500
  - name: mine
    api_key: \${CANARY_UNSET}
timeout_seconds: -4
`

describe("route-llm validate", () => {
  it("says of a configuration that it holds", () =>
    run(Effect.gen(function*() {
      const path = yield* written("providers: [{ name: openai, api_key: k }, { name: groq, enabled: false }]\n")
      expect(yield* promised(() => routeLlm(["validate", "--config", path]))).toEqual({
        code: 0,
        stdout: `${path} holds. Providers: openai, groq (off).\n`,
        stderr: ""
      })
      const { code, stdout } = yield* promised(() => routeLlm(["validate", "--config", path, "--json"]))
      expect([code, JSON.parse(stdout)]).toEqual([0, { source: path, valid: true, issues: [] }])
      const loud = yield* written("providers: [{ name: \"a\\ab\\u202ec\", adapter: groq, api_key: k }]\n")
      const named = yield* promised(() => routeLlm(["validate", "--config", loud]))
      expect(named).toMatchObject({ code: 0, stdout: `${loud} holds. Providers: a?b?c.\n` })
      const wrongKey = yield* written("providers: []\n\"a\\ab\\nc\": 1\n")
      const refused = yield* promised(() => routeLlm(["validate", "--config", wrongKey]))
      expect(refused.code).toBe(1)
      expect(refused.stderr).toMatch(/^\S+:2:1: .*a\?b\?c.*: unknown key.*\n$/)
    })), 60_000)

  it("says everything that is wrong, by line and column, on stderr or as JSON", () =>
    run(Effect.gen(function*() {
      const path = yield* written(wrong)
      const { code, stderr, stdout } = yield* promised(() => routeLlm(["validate", "--config", path]))
      expect([code, stdout]).toEqual([1, ""])
      expect(stderr.trimEnd().split("\n")).toEqual([
        `${path}:4:5: providers[0].rpm_limt: unknown key, did you mean "rpm_limit"?`,
        `${path}:6:14: providers[1].api_key: expected a value, found \${CANARY_UNSET} unset: set it, or write `
        + "${CANARY_UNSET:-default}",
        `${path}:7:18: timeout_seconds: expected a number of seconds greater than 0, at most 86400 (a day), found -4`
      ])
      expect(stderr).not.toContain("canary")
      const machine = yield* promised(() => routeLlm(["validate", "--config", path, "--json"]))
      expect(machine.code).toBe(1)
      expect(JSON.parse(machine.stdout)).toMatchObject({
        source: path,
        valid: false,
        issues: [{ path: "providers[0].rpm_limt", line: 4, column: 5 }, { line: 6, column: 14 }, {
          line: 7,
          column: 18
        }]
      })
    })), 60_000)

  it("says that there is no such file", async () => {
    const { code, stderr } = await routeLlm(["validate", "--config", "nowhere.yaml"])
    expect(code).toBe(1)
    expect(stderr).toMatch(/^nowhere\.yaml: \(file\): there is no such file/)
  }, 60_000)
})

describe("the JSON Schema", () => {
  it("takes what the configuration takes, and nothing else", async () => {
    const { code, stdout } = await routeLlm(["validate", "--schema"])
    expect(code).toBe(0)
    const { Ajv } = await import("ajv")
    const ajv = new Ajv({ allErrors: true })
    const holds = ajv.compile(JSON.parse(stdout))
    const problems = (text: string) => {
      holds(parse(text))
      return (holds.errors ?? []).map(({ instancePath }) => instancePath)
    }
    const readme = await readFile(`${root}README.md`, "utf8")
    const [, yaml = ""] = /```yaml\n(.*?)```/s.exec(readme) ?? []
    expect(problems(yaml)).toEqual([])
    expect(
      problems(
        "x-shared: { a: 1 }\nproviders: []\ntimeout_seconds: \"${T:-30}\"\nweights: { high: { capacity: 1, latency: 0, static: 0 } }"
      )
    ).toEqual([])
    expect(problems("providers: [{ name: a, rpm_limit: 0 }]")).toContain("/providers/0/rpm_limit")
    expect(problems("providers: [{ name: a, rpmLimt: 5 }]")).toContain("/providers/0")
    expect(problems("providers: [{ model: a }]")).toContain("/providers/0")
    expect(problems("providers: []\npolicy: best")).toContain("/policy")
    expect(problems("providers: []\ncircuit_breaker: { failure_threshold: many }")).toContain(
      "/circuit_breaker/failure_threshold"
    )
    expect(problems("{}")).toContain("")
  }, 60_000)
})
