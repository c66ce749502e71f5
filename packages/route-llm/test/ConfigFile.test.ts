import { FileSystem } from "@effect/platform"
import { NodeFileSystem } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Effect, type Layer, Redacted } from "effect"
import { fromYaml } from "../src/ConfigFile.ts"
import { accepted, limit, refused } from "./yamlText.ts"

const root = "expected a configuration such as { providers: [{ name: \"openai\" }] }"

const whole = `# \${NOT_LOOKED_AT}
providers:
  - name: openai
    api_key: \${OPENAI_API_KEY}
    model: gpt-4o
    rpm_limit: \${OPENAI_RPM:-500}
    tpm_limit: 200000
    input_tpm_limit: 150000
    output_tpm_limit: 50000
    rpd_limit: 10000
    tpd_limit: 1000000
    concurrency_limit: 20
    weight: 0.5
    enabled: \${USE_OPENAI:-true}
    base_url: https://\${HOST:-api.openai.com}/v1
    adapter: openai
    counting: { chargesMaxTokens: false }
redisUrl: "redis://:\${REDIS_PASSWORD}@localhost"
window_seconds: 30
weights: { high: { capacity: 1, latency: 2, static: 3 } }
circuit_breaker: { failure_threshold: 3, cooldownSeconds: 10 }
waiting: { on_saturated: fail, order: lifo, max_waiting: 50, max_wait_seconds: 5, keep_after_seconds: 2 }
policy: fit
high_priority_reserve_pct: 12.5
`

describe("fromText", () => {
  it("reads everything, in snake_case and in camelCase", () => {
    const config = accepted(whole, { OPENAI_API_KEY: "sk-1", REDIS_PASSWORD: "p" })
    expect(config).toEqual({
      providers: [{
        name: "openai",
        apiKey: Redacted.make("sk-1"),
        model: "gpt-4o",
        rpmLimit: 500,
        tpmLimit: 200_000,
        inputTpmLimit: 150_000,
        outputTpmLimit: 50_000,
        rpdLimit: 10_000,
        tpdLimit: 1_000_000,
        concurrencyLimit: 20,
        weight: 0.5,
        enabled: true,
        baseUrl: "https://api.openai.com/v1",
        adapter: "openai",
        counting: { chargesMaxTokens: false }
      }],
      redisUrl: Redacted.make("redis://:p@localhost"),
      windowSeconds: 30,
      weights: { high: { capacity: 1, latency: 2, static: 3 } },
      circuitBreaker: { failureThreshold: 3, cooldownSeconds: 10 },
      waiting: { onSaturated: "fail", order: "lifo", maxWaiting: 50, maxWaitSeconds: 5, keepAfterSeconds: 2 },
      policy: "fit",
      highPriorityReservePct: 12.5
    })
    expect(config.redisUrl && Redacted.value(config.redisUrl)).toBe("redis://:p@localhost")
    expect(accepted("providers: []")).toEqual({ providers: [] })
  })

  const cases: ReadonlyArray<readonly [text: string, ...issues: ReadonlyArray<string>]> = [
    ["", `1:1 (root): ${root}, found nothing`],
    ["# nothing\n", `1:1 (root): ${root}, found nothing`],
    ["- name: openai", `1:1 (root): ${root}, found a list`],
    ["window_seconds: 1", "1:1 providers: expected a list of providers, found nothing"],
    ["providers:", "1:11 providers: expected a list of providers, found nothing"],
    [
      "providers:\n  - api_key:sk-1",
      "2:5 providers[0]: expected a provider such as { name: \"openai\" }, found a text of length 12"
    ],
    [
      "providers:\n  - name: a\n  - rpm_limit: 0\n    weight: .nan",
      "3:5 providers[1].name: expected a name, without spaces around it, found nothing",
      `3:16 providers[1].rpm_limit: ${limit}, found 0`,
      "4:13 providers[1].weight: expected a finite number ≥ 0, found NaN"
    ],
    ["providers:\n  - {name: a, rpmLimit: '5'}", `2:25 providers[0].rpmLimit: ${limit}, found the text "5"`],
    ["providers:\n  - name: a\n    rpm_limt: 5", "3:5 providers[0].rpm_limt: unknown key, did you mean \"rpm_limit\"?"],
    ["providers: []\nwindow: 5", "2:1 window: unknown key, did you mean \"window_seconds\"?"],
    [
      "providers: []\n__proto__: {}\nx: 1",
      ...["2:1 __proto__", "3:1 x"].map((at) =>
        `${at}: unknown key, known here: providers, redis_url, window_seconds, weights, circuit_breaker, waiting, policy, `
        + `timeout_seconds, attempt_timeout_seconds, max_attempts, `
        + "high_priority_reserve_pct"
      )
    ],
    [
      "providers: []\nweights: { capacity: 1, latency: 1 }",
      "2:10 weights.static: expected a finite number ≥ 0, found nothing"
    ],
    [
      "providers: [{ name: a }, { name: b }, { name: a }]",
      "1:47 providers[2].name: expected a name of its own, found the name of providers[0]"
    ],
    [
      "providers:\n  - name: a\n    rpm_limit: 5\n    rpmLimit: 5",
      "4:5 providers[0].rpmLimit: rpm_limit and rpmLimit are one key, keep one"
    ],
    [
      "providers: []\r\ncircuit_breaker:\r\n  cooldown_seconds: 1h\r\n",
      "3:21 circuit_breaker.cooldown_seconds: expected a number of seconds greater than 0, at most 86400 (a day), "
      + "found the text \"1h\""
    ],
    // Syntax: by the parser's position, one a line, never quoting the text.
    ["providers: []\nproviders: []", "2:1 (syntax): Map keys must be unique"],
    [
      "providers: [\n",
      "2:1 (syntax): Flow sequence in block collection must be sufficiently indented and end with a ]"
    ],
    ["a: 1\nb: ] sk-1", "2:4 (syntax): Unexpected flow-seq-end token in YAML stream"],
    ["a: |sk-1\n x", "1:5 (syntax): Block scalar header includes extra characters"],
    ["a: \"\\q\"", "1:5 (syntax): expected an escape sequence that YAML has, found another one"],
    ["a: !secret x", "1:4 (syntax): expected a value without a tag, found a tag that does not apply"],
    ["? [a]\n: 1", "1:3 (syntax): expected a key that is plain text"],
    ["%SK-1\n---\na: 1", "1:1 (syntax): expected %YAML or %TAG, found another directive"],
    ["providers: []\n---\nproviders: []", "2:1 (syntax): expected one document, found a second one"],
    [
      "providers: [{ name: a, api_key: ${KEY} }]",
      "1:34 (syntax): Unexpected flow-map-start at node end (inside [ ] and { } a ${…} has to be quoted)"
    ]
  ]
  it.each(cases.map(([text, ...issues]) => ({ text, issues })))("$text", ({ issues, text }) => {
    expect(refused(text)).toEqual(issues)
  })

  it("stays within its bounds", () => {
    const levels = Array.from({ length: 9 }, (_, i) => `x${i + 1}: &x${i + 1} [${`*x${i},`.repeat(9)}]`)
    for (const text of [`x0: &x0 1\n${levels.join("\n")}`, "x: &x [*x, *x]", "x: &x { x: *x }"]) {
      expect(refused(`providers: []\n${text}`)).toEqual([
        "1:1 (root): expected at most 10000 values in 32 levels, found more (aliases count as what they name)"
      ])
    }
    // Which of the two it is depends on the size of the stack.
    const deep = refused(`providers: ${"[".repeat(3_000)}${"]".repeat(3_000)}`)
    expect(deep[0]).toMatch(/nested too deeply$|at most 10000 values in 32 levels/)
  })
})

describe("anchors", () => {
  it("resolves aliases and merge keys; a map's own keys win, then the first source", () => {
    const config = accepted(`
x-defaults: &defaults { rpm_limit: 5, tpm_limit: 6, weight: 2 }
providers:
  - &first
    <<: *defaults
    name: a
    weight: 1
  - <<: [*first, *defaults]
    name: b
    rpmLimit: 7
  - <<: { name: c }
    weight: &weight 3
circuit_breaker: { failure_threshold: *weight }
`)
    expect(config.providers).toEqual([
      { name: "a", rpmLimit: 5, tpmLimit: 6, weight: 1 },
      { name: "b", rpmLimit: 7, tpmLimit: 6, weight: 1 },
      { name: "c", weight: 3 }
    ])
    expect(config.circuitBreaker).toEqual({ failureThreshold: 3 })
  })

  const merge = "expected << to name a map above, or a list of such maps"
  const cases: ReadonlyArray<readonly [text: string, issue: string]> = [
    [
      "x-a: &a { weight: -1 }\nproviders:\n  - { name: a, <<: *a }",
      "1:19 providers[0].weight: expected a finite number ≥ 0, found -1"
    ],
    [
      "x-a: &a { wieght: 1 }\nproviders:\n  - { name: a, <<: *a }",
      "1:11 providers[0].wieght: unknown key, did you mean \"weight\"?"
    ],
    [
      "providers: []\nwindow_seconds: *a",
      "2:17 window_seconds: expected an alias of an anchor above, found one of none"
    ],
    ["providers:\n  - { name: a, <<: 5 }", `2:5 providers[0]: ${merge}`],
    ["providers:\n  - &a { name: a, <<: *a }", `2:8 providers[0]: ${merge}`],
    ["providers:\n  - { name: a, <<: *a }", `2:5 providers[0]: ${merge}`]
  ]
  it.each(cases)("%j", (text, issue) => {
    expect(refused(text)).toEqual([issue])
  })
})

describe("fromYaml", () => {
  const failing = (path: string, files: Layer.Layer<FileSystem.FileSystem>) =>
    Effect.flip(fromYaml(path, { variables: {} })).pipe(Effect.provide(files), Effect.map(({ message }) => message))

  it.scoped("reads a file, and names it as it was given", () =>
    Effect.gen(function*() {
      const files = yield* FileSystem.FileSystem
      const path = `${yield* files.makeTempDirectoryScoped()}/router.yaml`
      yield* files.writeFileString(path, "\uFEFFproviders:\n  - name: ${NAME}\n")
      expect(yield* fromYaml(path, { variables: { NAME: "a" } })).toEqual({ providers: [{ name: "a" }] })
      expect(yield* failing(path, NodeFileSystem.layer)).toBe(
        `1 problem in the configuration (${path}):\n  2:11 providers[0].name: `
          + "expected a value, found ${NAME} unset: set it, or write ${NAME:-default}"
      )
      expect(yield* failing(`${path}.bak`, NodeFileSystem.layer)).toBe(
        `1 problem in the configuration (${path}.bak):\n  (file): `
          + "there is no such file (a relative path starts at the working directory)"
      )
    }).pipe(Effect.provide(NodeFileSystem.layer)))

  it.effect("says why a file cannot be read", () =>
    Effect.gen(function*() {
      const directory = yield* failing(".", NodeFileSystem.layer)
      expect(directory).toMatch(/^1 problem in the configuration \(\.\):\n {2}\(file\): it cannot be read \(\w+\)$/)
    }))
})
