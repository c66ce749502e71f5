import { describe, expect, it } from "@effect/vitest"
import { ConfigProvider, Effect } from "effect"
import { fromText } from "../src/ConfigFile.ts"
import { accepted, limit, refused, secretsOf } from "./yamlText.ts"

const reference = "expected ${NAME} or ${NAME:-default} ($${ for a plain ${), found another ${"

describe("variables", () => {
  it("are replaced after parsing: what they hold is never YAML, and not looked at again", () => {
    const hostile = "a\n    rpm_limit: 1 # ${B} *x"
    const text = "providers:\n  - name: a\n    api_key: ${KEY}\n    model: m-${A}\n    # ${C"
    expect(refused(text, { KEY: "k", A: hostile })).toEqual([])
    expect(accepted(text, { KEY: "k", A: hostile }).providers[0]?.model).toBe(`m-${hostile}`)
  })

  it("become a number or a boolean only where they stand alone and unquoted, and never where text is due", () => {
    const provider = (fields: string) => `providers:\n  - name: a\n    ${fields}`
    expect(accepted(provider("rpm_limit: ${N}"), { N: "0x10" }).providers[0]).toMatchObject({ rpmLimit: 16 })
    expect(accepted(provider("enabled: ${E}"), { E: "False" }).providers[0]).toMatchObject({ enabled: false })
    expect(accepted(provider("model: ${M}"), { M: "1e5" }).providers[0]).toMatchObject({ model: "1e5" })
    expect(secretsOf(provider("api_key: ${K}"), { K: "0123" })).toEqual(["0123"])
    const other = [`3:16 providers[0].rpm_limit: ${limit}, found something else in \${N}`]
    expect(refused(provider("rpm_limit: \"${N}\""), { N: "5" })).toEqual(other)
    expect(refused(provider("rpm_limit: 1${N}"), { N: "5" })).toEqual(other)
    expect(refused(provider("rpm_limit: ${N}"), { N: "[1]" })).toEqual(other)
    expect(refused(provider("rpm_limit: ${N}"), { N: "null" })).toEqual(other)
  })

  it("are named where what they hold is wrong, and what they hold is not shown, however short", () => {
    const text = `providers:
  - name: a
    rpm_limit: \${N}
    weight: "-\${A}"
    enabled: "\${A}\${N}"
  - { name: b, rpm_limit: "\${N}", tpm_limit: no }
`
    const held = [
      "sk-canary",
      ", found \"canary\"\ncanary",
      "-20261125",
      "-1e-7",
      "-.5",
      "Infinity",
      ".nan",
      "true",
      "canary".repeat(9)
    ]
    for (const N of held) {
      const issues = refused(text, { N, A: N })
      expect(issues.filter((issue) => issue.includes("canary") || issue.endsWith(N))).toEqual([])
      expect(issues.at(0)).toMatch(
        /^3:16 providers\[0\].rpm_limit: .*, found (something else in \$\{N\}|a text of length \d+)$/
      )
      expect(issues.at(-1)).toBe(`6:46 providers[1].tpm_limit: ${limit}, found the text "no"`)
    }
    expect(refused(text, { N: "5.5", A: "x" })).toContain(
      "4:13 providers[0].weight: expected a finite number ≥ 0, found something else in ${A}"
    )
    // Other words about the value remain.
    expect(refused("providers: [{ name: a }, { name: \"${A}\" }]", { A: "a" })).toEqual([
      "1:34 providers[1].name: expected a name of its own, found the name of providers[0]"
    ])
  })

  it("have defaults, for what is blank too; an empty default alone leaves the field out", () => {
    const text = "providers:\n  - name: ${A:-x y}${B:-:z}\n    model: ${C:-}\n    rpm_limit: ${D:-}"
    expect(accepted(text, { A: " ", B: undefined }).providers).toEqual([{ name: "x y:z" }])
    expect(accepted(text, { A: "a", B: "b", C: "c", D: "4" }).providers).toEqual([{
      name: "ab",
      model: "c",
      rpmLimit: 4
    }])
  })

  it("are escaped by $${", () => {
    expect(accepted("providers:\n  - name: \"$${A}-$$${A}-$\"").providers).toEqual([{ name: "${A}-$${A}-$" }])
  })

  it("that are not set are an error each, in the writer's spelling, unless their provider is off", () => {
    const text = `providers:
  - name: a
    api_key: \${KEY_A}
    baseUrl: https://\${HOST}:\${PORT}
    rpm_limit: \${RPM
  - name: b
    api_key: \${KEY_B}
    enabled: \${USE_B:-false}
  - { name: c, api_key: "\${KEY_C}", enabled: false }
  - name: d
    enabled: \${USE_D}
redis_url: >
  \${REDIS}
`
    expect(refused(text, { KEY_B: " " })).toEqual([
      "3:14 providers[0].api_key: expected a value, found ${KEY_A} unset: set it, or write ${KEY_A:-default}",
      "4:14 providers[0].baseUrl: expected a value, found ${HOST}, ${PORT} unset: set it, or write ${HOST:-default}",
      `5:16 providers[0].rpm_limit: ${reference}`,
      "11:14 providers[3].enabled: expected a value, found ${USE_D} unset: set it, or write ${USE_D:-default}",
      "12:12 redis_url: expected a value, found ${REDIS} unset: set it, or write ${REDIS:-default}"
    ])
    expect(refused(text, { USE_B: "true" })).toContain(
      "7:14 providers[1].api_key: expected a value, found ${KEY_B} unset: set it, or write ${KEY_B:-default}"
    )
  })

  it("of an inherited key are due wherever the provider is on", () => {
    const text = `providers:
  - &off { name: a, api_key: "\${KEY}", enabled: false }
  - { <<: *off, name: b, enabled: true }
`
    expect(refused(text)).toEqual([
      "2:30 providers[1].api_key: expected a value, found ${KEY} unset: set it, or write ${KEY:-default}"
    ])
    expect(secretsOf(text, { KEY: "k" })).toEqual(["k", "k"])
  })

  it.each(["${1}", "${A-b}", "${A:-${B}}", "${", "${A B}", "${}"])("%s is no reference", (written) => {
    expect(refused(`providers: []\nredis_url: '${written}'`)[0]).toBe(`2:12 redis_url: ${reference}`)
  })

  it("are not named where the name may be a key", () => {
    const key = `gsk_${"aB1".repeat(17)}`
    const long = "A_NAME_IN_CAPITALS_LONGER_THAN_THIRTY_TWO_SIGNS"
    expect(refused(`providers: []\nredis_url: \${${key}}\${${long}}`)).toEqual([
      `2:12 redis_url: expected a value, found \${<a name of 55 characters>}, \${${long}} unset: `
      + "set it, or write ${<a name of 55 characters>:-default}"
    ])
  })

  it.effect("come from the ConfigProvider in force", () =>
    Effect.gen(function*() {
      const { providers } = yield* Effect.withConfigProvider(
        fromText("providers:\n  - name: ${NAME}"),
        ConfigProvider.fromMap(new Map([["NAME", "a"]]))
      )
      expect(providers).toEqual([{ name: "a" }])
    }))
})
