import { Explanation } from "@route-llm/core"
import { Effect, Schema } from "effect"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { promised, run } from "../http/support.ts"
import { routeLlm, startApp } from "./run.ts"

const read = Schema.decodeUnknownSync(Schema.parseJson(Explanation), { onExcessProperty: "error" })

const folder = Effect.acquireRelease(
  promised(() => mkdtemp(join(tmpdir(), "route-llm-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true }))
)

/** Whose keys are elsewhere: nobody is called. */
const config = `
providers:
  - { name: openai, api_key: "\${NOT_SET_KEY}", base_url: "\${NOT_SET_URL}", model: small, rpm_limit: 10, tpm_limit: 8000, weight: 5 }
  - { name: anthropic, model: large, rpm_limit: 10, tpm_limit: 100000 }
`

describe("route-llm explain", () => {
  it("asks an application, which sends nothing", () =>
    run(Effect.gen(function*() {
      const { router, url, vendor } = yield* startApp
      const { code, stderr, stdout } = yield* promised(() => routeLlm(["explain", "--url", url, "--input", "2000"]))
      expect([code, stderr]).toEqual([0, ""])
      const lines = stdout.split("\n")
      expect(lines[0]).toBe(
        " 2,000 tokens of input, normal lane, policy formula: goes to first: the best of those that may take it"
      )
      expect(lines[2]?.trim().split(/ {2,}/)).toEqual(
        ["provider", "model", "score", "capacity", "latency", "static", "input", "output", "decision"]
      )
      expect(lines[3]).toMatch(/^ first .* 2,000 .* chosen$/)
      expect(lines[4]).toMatch(/^ second .* 2,000 .* may take it$/)

      yield* promised(() => router.forceOpen("first"))
      yield* promised(() => router.forceOpen("second"))
      const none = yield* promised(() => routeLlm(["explain", "--url", url, "--json", "--provider", "second"]))
      expect(none.code).toBe(3)
      expect(read(none.stdout).candidates.map(({ refusal }) => refusal?.reason)).toEqual(["not_forced", "circuit_open"])
      expect(yield* vendor.counts).toMatchObject({ received: 0 })
    })), 60_000)

  it("asks a configuration, and says that it knows of no traffic", () =>
    run(Effect.gen(function*() {
      const path = join(yield* folder, "router.yaml")
      yield* promised(() => writeFile(path, config))
      const large = yield* promised(() => routeLlm(["explain", "--config", path, "--input", "20000"]))
      expect(large.code).toBe(0)
      expect(large.stderr).toContain("names no redis_url")
      expect(large.stdout).toMatch(/goes to anthropic: the best of those that may take it$/m)
      expect(large.stdout).toMatch(/^ openai .* too large \(20,000 of 8,000 tokens\)$/m)
      // What is needed is missed all the same.
      yield* promised(() => writeFile(path, `${config}redis_url: \${NOT_SET_REDIS}\nmax_attempts: \${NOT_SET}\n`))
      const lacking = yield* promised(() => routeLlm(["explain", "--config", path]))
      expect([lacking.code, lacking.stderr.match(/found \S+ unset/g)]).toEqual(
        [1, ["found ${NOT_SET_REDIS} unset", "found ${NOT_SET} unset"]]
      )
      const named = yield* promised(() => routeLlm(["explain", "--config", path, "--redis", "redis://localhost:1"]))
      expect(named.stderr.match(/found \S+ unset/g)).toEqual(["found ${NOT_SET} unset"])
    })), 60_000)

  it("reads a request from a file or the standard input, and repeats nothing of it", () =>
    run(Effect.gen(function*() {
      const directory = yield* folder
      const [yaml, file] = [join(directory, "router.yaml"), join(directory, "request.json")]
      yield* promised(() => writeFile(yaml, config))
      const request = { messages: [{ role: "user", content: "canary ".repeat(500) }], maxTokens: 10 }
      yield* promised(() => writeFile(file, JSON.stringify(request)))
      const args = ["explain", "--config", yaml, "--json", "--priority", "low", "--request"]
      const fromFile = yield* promised(() => routeLlm([...args, file]))
      const fromInput = yield* promised(() => routeLlm([...args, "-"], { input: JSON.stringify(request) }))
      expect(read(fromFile.stdout)).toMatchObject({ lane: "low", chosen: "openai" })
      expect(read(fromFile.stdout).inputTokens).toBeGreaterThan(500)
      expect(read(fromInput.stdout).inputTokens).toBe(read(fromFile.stdout).inputTokens)
      const broken = yield* promised(() => routeLlm([...args, "-"], { input: "{ canary" }))
      const wrong = yield* promised(() => routeLlm([...args, "-"], { input: "{\"messages\": \"canary\"}" }))
      expect([broken.code, wrong.code]).toEqual([1, 1])
      expect(broken.stderr).toContain("The standard input is no JSON.")
      expect(wrong.stderr).toContain("Invalid request at `messages`")
      expect([fromFile, fromInput, broken, wrong].map(({ stderr, stdout }) => stdout + stderr).join("")).not.toContain(
        "canary"
      )
    })), 60_000)
})
