import { describe, expect, it } from "@effect/vitest"
import { Cause, ConfigError, ConfigProvider, Effect, Either, FastCheck, Redacted } from "effect"
import { vi } from "vitest"
import { fromEnv } from "../src/ConfigEnv.ts"

const read = (variables: Record<string, string | undefined>) => Effect.runSync(Effect.either(fromEnv({ variables })))

const message = (variables: Record<string, string | undefined>): string =>
  Either.match(read(variables), { onLeft: (error) => error.message, onRight: () => "accepted" })

const limit = "expected a finite number ≥ 1 (leave it out if unknown)"
const httpUrl = "expected an address that starts with http:// or https://, without user and password"
const noKey = "  (environment): expected a vendor's key, found none: "
  + "set one or more of OPENAI_API_KEY, ANTHROPIC_API_KEY, GEMINI_API_KEY, GROQ_API_KEY"

describe("fromEnv", () => {
  it("adds one provider for each key, with what is set for it", () => {
    const config = Either.getOrThrow(read({
      OPENAI_API_KEY: " sk-1\r\n",
      OPENAI_MODEL: "gpt-4o",
      OPENAI_RPM_LIMIT: "500",
      OPENAI_TPM_LIMIT: "2e5",
      OPENAI_BASE_URL: "http://localhost:8080/v1",
      OPENAI_WEIGHT: "0",
      ANTHROPIC_API_KEY: "2",
      GEMINI_API_KEY: "3",
      GOOGLE_API_KEY: "not this one",
      GROQ_API_KEY: "4",
      GROQ_RPM_LIMIT: "  ",
      ROUTE_LLM_REDIS_URL: "redis://localhost",
      ROUTE_LLM_WINDOW_SECONDS: "30"
    }))
    expect(config).toEqual({
      providers: [
        {
          name: "openai",
          apiKey: Redacted.make("sk-1"),
          model: "gpt-4o",
          baseUrl: "http://localhost:8080/v1",
          rpmLimit: 500,
          tpmLimit: 200_000,
          weight: 0
        },
        { name: "anthropic", apiKey: Redacted.make("2") },
        { name: "gemini", apiKey: Redacted.make("3") },
        { name: "groq", apiKey: Redacted.make("4") }
      ],
      redisUrl: Redacted.make("redis://localhost"),
      windowSeconds: 30
    })
    expect(config.providers.map(({ apiKey }) => apiKey && Redacted.value(apiKey))).toEqual(["sk-1", "2", "3", "4"])
  })

  it("takes GOOGLE_API_KEY where GEMINI_API_KEY is blank", () => {
    const { providers } = Either.getOrThrow(read({ GEMINI_API_KEY: "", GOOGLE_API_KEY: "5" }))
    expect(providers.map(({ apiKey, name }) => [name, apiKey && Redacted.value(apiKey)])).toEqual([["gemini", "5"]])
  })

  const refused: ReadonlyArray<readonly [Record<string, string | undefined>, ...ReadonlyArray<string>]> = [
    [{}, noKey],
    [{ OPENAI_API_KEY: " ", GROQ_API_KEY: undefined, OPENAI_RPM_LIMIT: "x" }, noKey],
    [
      { ROUTE_LLM_WINDOW_SECONDS: "1m" },
      noKey,
      "  ROUTE_LLM_WINDOW_SECONDS: expected a number of seconds greater than 0, at most 86400 (a day), found the text \"1m\""
    ],
    [{ OPENAI_API_KEY: "k", OPENAI_RPM_LIMIT: "5OO" }, `  OPENAI_RPM_LIMIT: ${limit}, found the text "5OO"`],
    [{ OPENAI_API_KEY: "k", OPENAI_TPM_LIMIT: "-1" }, `  OPENAI_TPM_LIMIT: ${limit}, found -1`],
    [{ OPENAI_API_KEY: "k", OPENAI_TPM_LIMIT: "Infinity" }, `  OPENAI_TPM_LIMIT: ${limit}, found Infinity`],
    [{ OPENAI_API_KEY: "k", OPENAI_TPM_LIMIT: "NaN" }, `  OPENAI_TPM_LIMIT: ${limit}, found the text "NaN"`],
    [
      { ANTHROPIC_API_KEY: "k", GROQ_API_KEY: "k", ANTHROPIC_WEIGHT: "-1", GROQ_BASE_URL: "groq.com" },
      "  ANTHROPIC_WEIGHT: expected a finite number ≥ 0, found -1",
      `  GROQ_BASE_URL: ${httpUrl}, found a text of length 8`
    ],
    [
      { GOOGLE_API_KEY: "two words" },
      "  GOOGLE_API_KEY: expected an API key: visible ASCII characters, without spaces, found a text of length 9"
    ],
    [
      { GROQ_API_KEY: "k", ROUTE_LLM_REDIS_URL: "localhost" },
      "  ROUTE_LLM_REDIS_URL: expected an address that starts with redis:// or rediss://, found a text of length 9"
    ]
  ]
  it.each(refused.map(([variables, ...issues]) => ({ variables, issues, title: issues.join(";") })))(
    "$title",
    ({ issues, variables }) => {
      const count = issues.length === 1 ? "1 problem" : `${issues.length} problems`
      expect(message(variables)).toBe([`${count} in the configuration (environment):`, ...issues].join("\n"))
    }
  )

  it("reads the process's own environment unless told otherwise", () => {
    vi.stubEnv("GROQ_API_KEY", "gsk-1").stubEnv("GROQ_TPM_LIMIT", "6000")
    try {
      const { providers } = Effect.runSync(fromEnv())
      expect(providers.find(({ name }) => name === "groq")).toMatchObject({ tpmLimit: 6_000 })
    } finally {
      vi.unstubAllEnvs()
    }
  })

  it.effect("reads the ConfigProvider in force, and says what that one cannot look up", () =>
    Effect.gen(function*() {
      const { providers } = yield* Effect.withConfigProvider(
        fromEnv(),
        ConfigProvider.fromMap(new Map([["GROQ_API_KEY", "k"]]))
      )
      expect(providers.map(({ name }) => name)).toEqual(["groq"])

      const down = ConfigProvider.make({
        load: () => Effect.fail(ConfigError.SourceUnavailable([], "vault says: sk-1", Cause.fail("sk-1"))),
        flattened: ConfigProvider.fromMap(new Map()).flattened
      })
      const error = yield* Effect.flip(Effect.withConfigProvider(fromEnv(), down))
      expect(error.issues).toEqual([{ path: "OPENAI_API_KEY", issue: "it could not be looked up" }])
    }))

  it("never lets a secret into an error", () => {
    const canary = "canary-7d1f"
    const spoilt = FastCheck.constantFrom(canary, `${canary} x`, `é${canary}`, `http://${canary}@h`, "")
    FastCheck.assert(FastCheck.property(spoilt, spoilt, spoilt, (GROQ_API_KEY, GROQ_BASE_URL, ROUTE_LLM_REDIS_URL) => {
      const found = message({ GROQ_API_KEY, GROQ_BASE_URL, ROUTE_LLM_REDIS_URL, GROQ_RPM_LIMIT: "0" })
      expect(found).toMatch(/problem/)
      expect(found).not.toContain(canary)
    }))
  })
})
