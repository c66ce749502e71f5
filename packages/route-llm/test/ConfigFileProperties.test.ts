import { describe, expect, it } from "@effect/vitest"
import { decodeRouterConfig } from "@route-llm/core"
import { Either, FastCheck, Redacted } from "effect"
import { stringify } from "yaml"
import { accepted, read } from "./yamlText.ts"

describe("a YAML configuration", () => {
  const number = FastCheck.double({ min: 0.001, max: 86_400, noNaN: true })
  const limit = FastCheck.double({ min: 1, max: 1e6, noNaN: true })
  const optional = <A>(arbitrary: FastCheck.Arbitrary<A>) => FastCheck.option(arbitrary, { nil: undefined })
  const word = FastCheck.string({ minLength: 1, unit: "grapheme" }).filter((text) =>
    text.trim() === text && text !== ""
  )
  const key = FastCheck.stringMatching(/^[\x21-\x7e]{1,40}$/)
  const weights = FastCheck.record({ capacity: number, latency: number, static: number })

  const provider = FastCheck.record({
    name: word,
    apiKey: optional(key),
    model: optional(word),
    rpmLimit: optional(limit),
    tpmLimit: optional(limit),
    weight: optional(number),
    enabled: optional(FastCheck.boolean()),
    baseUrl: optional(FastCheck.constantFrom("https://example.com/v1", "http://[::1]:80")),
    adapter: optional(word),
    inputTpmLimit: optional(limit),
    rpdLimit: optional(limit),
    concurrencyLimit: optional(limit),
    counting: optional(FastCheck.record({ chargesMaxTokens: optional(FastCheck.boolean()) }))
  })

  const config = FastCheck.record({
    providers: FastCheck.uniqueArray(provider, { selector: ({ name }) => name, maxLength: 4 }),
    redisUrl: optional(FastCheck.constantFrom("redis://:p${w}@h", "rediss://h:1/2")),
    windowSeconds: optional(number),
    weights: optional(FastCheck.oneof(
      weights,
      FastCheck.record({ normal: optional(weights), high: optional(weights), low: optional(weights) })
    )),
    circuitBreaker: optional(
      FastCheck.record({ failureThreshold: optional(FastCheck.constant(3)), cooldownSeconds: optional(number) })
    ),
    waiting: optional(FastCheck.record({
      onSaturated: optional(FastCheck.constantFrom("wait" as const, "fail" as const)),
      maxWaitSeconds: optional(number)
    })),
    policy: optional(FastCheck.constantFrom("formula" as const, "fit" as const)),
    highPriorityReservePct: optional(FastCheck.double({ min: 0, max: 99.9, noNaN: true }))
  })

  /** As a user would write it: keys in snake_case, what is not there left out, `${` escaped. */
  const asYaml = (value: unknown): unknown => {
    if (typeof value === "string") return value.replaceAll("${", () => "$${")
    if (Array.isArray(value)) return value.map(asYaml)
    if (typeof value !== "object" || value === null) return value
    return Object.fromEntries(
      Object.entries(value).filter(([, field]) => field !== undefined).map((
        [name, field]
      ) => [name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), asYaml(field)])
    )
  }

  const plain = (value: unknown): unknown => {
    if (Redacted.isRedacted(value)) return { redacted: Redacted.value(value) }
    if (Array.isArray(value)) return value.map(plain)
    if (typeof value !== "object" || value === null) return value
    return Object.fromEntries(
      Object.entries(value).flatMap(([name, field]) => field === undefined ? [] : [[name, plain(field)]])
    )
  }

  it("a valid configuration survives the way through YAML", () => {
    FastCheck.assert(FastCheck.property(config, (config) => {
      const direct = Either.getOrThrow(decodeRouterConfig(config))
      expect(plain(accepted(stringify(asYaml(config))))).toEqual(plain(direct))
    }))
  })

  it("no error has a secret in it, however the text is torn", () => {
    // As long as the shortest of the vendors' keys.
    const canary = `AIza${"canary".repeat(6)}`
    const pieces = [
      "providers:",
      "\n  - name: a",
      `\n    api_key: ${canary}`,
      "\n    api_key: ${KEY}",
      "\n    base_url: ${URL}",
      `\nredis_url: "http://:${canary}@h"`,
      `\n    api_key:${canary}`,
      `\n- ${canary}`,
      `\n    rpm_limit: 0`,
      `\n  x: {`,
      "\"",
      "'",
      "}",
      "]",
      "[",
      "{",
      "\n",
      "|",
      ">",
      "*",
      "&",
      "!",
      "%",
      "@",
      ": ",
      "? ",
      "\t",
      "---\n",
      "<<: ",
      canary,
      "${",
      "\\q"
    ]
    let errors = 0
    FastCheck.assert(
      FastCheck.property(FastCheck.array(FastCheck.constantFrom(...pieces), { maxLength: 14 }), (torn) => {
        const result = read(torn.join(""), { KEY: `${canary} ${canary}`, URL: `http://${canary}:${canary}@h` })
        if (Either.isRight(result)) return
        errors += 1
        expect(result.left.message + JSON.stringify(result.left)).not.toContain("canary")
      }),
      { numRuns: 600 }
    )
    expect(errors).toBeGreaterThan(300)
  })
})
