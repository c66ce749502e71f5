import { describe, expect, it } from "@effect/vitest"
import { decodeRouterConfig, RouterOptions, toRouterOptions } from "@route-llm/core"
import type { RouterConfigInput } from "@route-llm/core"
import { Effect, Either, FastCheck, Inspectable, Redacted } from "effect"

const problems = (input: unknown): ReadonlyArray<string> =>
  Either.match(decodeRouterConfig(input), {
    onLeft: ({ issues }) => issues.map(({ issue, path }) => `${path}: ${issue}`),
    onRight: () => []
  })

const decoded = (input: RouterConfigInput) => Either.getOrThrow(decodeRouterConfig(input))

const provider = (fields: Record<string, unknown>) => ({ providers: [{ name: "a" }, { name: "b", ...fields }] })
const settings = (fields: Record<string, unknown>) => ({ providers: [], ...fields })

const limit = "expected a finite number ≥ 1 (leave it out if unknown)"
const weight = "expected a finite number ≥ 0"
const seconds = "expected a number of seconds greater than 0, at most 86400 (a day)"
const key = "expected an API key: visible ASCII characters, without spaces"
const httpUrl = "expected an address that starts with http:// or https://, without user and password"
const redisUrl = "expected an address that starts with redis:// or rediss://"
const weights = "expected { capacity, latency, static }, or such weights by lane: { normal, high, low }"
const knownAtRoot =
  "known here: providers, redisUrl, windowSeconds, weights, circuitBreaker, waiting, policy, timeoutSeconds, "
  + "attemptTimeoutSeconds, maxAttempts, highPriorityReservePct"

describe("decodeRouterConfig", () => {
  const refused: ReadonlyArray<readonly [input: unknown, ...issues: ReadonlyArray<string>]> = [
    [undefined, "(root): expected a configuration such as { providers: [{ name: \"openai\" }] }, found nothing"],
    [[], "(root): expected a configuration such as { providers: [{ name: \"openai\" }] }, found a list"],
    [
      "sk-1",
      "(root): expected a configuration such as { providers: [{ name: \"openai\" }] }, found a text of length 4"
    ],
    [{}, "providers: expected a list of providers, found nothing"],
    [{ providers: null }, "providers: expected a list of providers, found nothing"],
    [{ providers: { name: "a" } }, "providers: expected a list of providers, found an object"],
    [
      { providers: ["apiKey:sk-1"] },
      "providers[0]: expected a provider such as { name: \"openai\" }, found a text of length 11"
    ],
    [{ providers: [{}] }, "providers[0].name: expected a name, without spaces around it, found nothing"],
    [provider({ name: "" }), "providers[1].name: expected a name, without spaces around it, found an empty text"],
    [provider({ name: " b" }), "providers[1].name: expected a name, without spaces around it, found the text \" b\""],
    [provider({ name: 5 }), "providers[1].name: expected a name, without spaces around it, found 5"],
    [provider({ name: "a" }), "providers[1].name: expected a name of its own, found the name of providers[0]"],
    [provider({ apiKey: "" }), `providers[1].apiKey: ${key}, found an empty text`],
    [provider({ apiKey: "sk-1\n" }), `providers[1].apiKey: ${key}, found a text of length 5`],
    [provider({ apiKey: 12345 }), `providers[1].apiKey: ${key}, found a number`],
    [provider({ apiKey: Redacted.make("sk 1") }), `providers[1].apiKey: ${key}, found a redacted value`],
    [provider({ apiKey: Redacted.make(1) }), `providers[1].apiKey: ${key}, found a redacted value`],
    [
      provider({ model: "" }),
      "providers[1].model: expected a model's name, without spaces around it, found an empty text"
    ],
    [
      provider({ adapter: true }),
      "providers[1].adapter: expected an adapter's name, without spaces around it, found true"
    ],
    [provider({ rpmLimit: 0 }), `providers[1].rpmLimit: ${limit}, found 0`],
    [provider({ rpmLimit: -1 }), `providers[1].rpmLimit: ${limit}, found -1`],
    [provider({ rpmLimit: NaN }), `providers[1].rpmLimit: ${limit}, found NaN`],
    [provider({ tpmLimit: Infinity }), `providers[1].tpmLimit: ${limit}, found Infinity`],
    [provider({ tpmLimit: "500" }), `providers[1].tpmLimit: ${limit}, found the text "500"`],
    [provider({ tpmLimit: null }), `providers[1].tpmLimit: ${limit}, found nothing`],
    [provider({ tpmLimit: 5n }), `providers[1].tpmLimit: ${limit}, found a bigint`],
    [provider({ tpmLimit: "x".repeat(25) }), `providers[1].tpmLimit: ${limit}, found a text of length 25`],
    [provider({ contextWindow: 0 }), `providers[1].contextWindow: ${limit}, found 0`],
    [settings({ maxAttempts: 0 }), "maxAttempts: expected a whole number ≥ 1, found 0"],
    [settings({ timeoutSeconds: 0 }), `timeoutSeconds: ${seconds}, found 0`],
    [
      settings({ circuitBreaker: { errorRatio: 0 } }),
      "circuitBreaker.errorRatio: expected a share above 0, at most 1, found 0"
    ],
    [provider({ weight: -0.1 }), `providers[1].weight: ${weight}, found -0.1`],
    [provider({ enabled: "yes" }), "providers[1].enabled: expected true or false, found the text \"yes\""],
    [
      provider({ counting: { chargesMaxTokens: 1 } }),
      "providers[1].counting.chargesMaxTokens: expected true or false, found 1"
    ],
    [
      provider({ counting: { cacheRead: 2 } }),
      "providers[1].counting.cacheRead: expected a share from 0 to 1, found 2"
    ],
    [provider({ baseUrl: "example.com" }), `providers[1].baseUrl: ${httpUrl}, found a text of length 11`],
    [provider({ baseUrl: "https://u:p@example.com" }), `providers[1].baseUrl: ${httpUrl}, found a text of length 23`],
    [provider({ baseUrl: "http://" }), `providers[1].baseUrl: ${httpUrl}, found a text of length 7`],
    [provider({ rpm_limt: 5 }), "providers[1].rpm_limt: unknown key, did you mean \"rpmLimit\"?"],
    [provider({ tpm: 5 }), "providers[1].tpm: unknown key, did you mean \"tpmLimit\"?"],
    [provider({ APIKEY: "sk" }), "providers[1].APIKEY: unknown key, did you mean \"apiKey\"?"],
    [settings({ providres: [] }), "providres: unknown key, did you mean \"providers\"?"],
    [settings({ x: 1 }), `x: unknown key, ${knownAtRoot}`],
    [settings({ constructor: 1 }), `constructor: unknown key, ${knownAtRoot}`],
    [JSON.parse("{\"providers\":[],\"__proto__\":{}}"), `__proto__: unknown key, ${knownAtRoot}`],
    [settings({ ["k".repeat(41)]: 1 }), `<a key of 41 characters>: unknown key, ${knownAtRoot}`],
    [settings({ redisUrl: "http://h" }), `redisUrl: ${redisUrl}, found a text of length 8`],
    [settings({ redisUrl: 6379 }), `redisUrl: ${redisUrl}, found a number`],
    [settings({ windowSeconds: 0 }), `windowSeconds: ${seconds}, found 0`],
    [settings({ windowSeconds: 86_401 }), `windowSeconds: ${seconds}, found 86401`],
    [
      settings({ circuitBreaker: 5 }),
      "circuitBreaker: expected the circuit breaker's settings by name, found a number"
    ],
    [
      settings({ circuitBreaker: { failureThreshold: 1.5, cooldownSeconds: -1 } }),
      "circuitBreaker.failureThreshold: expected a whole number ≥ 1, found 1.5",
      `circuitBreaker.cooldownSeconds: ${seconds}, found -1`
    ],
    [
      settings({ highPriorityReservePct: 100 }),
      "highPriorityReservePct: expected a percentage, 0 ≤ it < 100, found 100"
    ],
    [settings({ highPriorityReservePct: -1 }), "highPriorityReservePct: expected a percentage, 0 ≤ it < 100, found -1"],
    [settings({ weights: "sk-1" }), `weights: ${weights}, found a text of length 4`],
    [settings({ weights: [] }), `weights: ${weights}, found a list`],
    [
      settings({ weights: { capacity: NaN, latency: 1 } }),
      `weights.capacity: ${weight}, found NaN`,
      `weights.static: ${weight}, found nothing`
    ],
    [
      settings({ weights: { hgh: {}, low: { capacity: 1, latency: 1, static: -1 } } }),
      "weights.hgh: unknown key, did you mean \"high\"?",
      `weights.low.static: ${weight}, found -1`
    ],
    [
      settings({ weights: { capacity: 1, latency: 1, static: 1, high: {} } }),
      "weights.high: unknown key, known here: capacity, latency, static"
    ]
  ]
  it.each(refused.map(([input, ...issues]) => ({ input, issues, title: issues.join("; ") })))(
    "$title",
    ({ input, issues }) => {
      expect(problems(input)).toEqual(issues)
    }
  )

  it("reports everything at once, duplicates beside the fields' own problems", () => {
    const result = decodeRouterConfig({ providers: [{ name: "a", rpmLimit: 0 }, { name: "a" }], windowSecnds: 1 })
    expect(Either.isLeft(result) && result.left.message).toBe([
      "3 problems in the configuration (object):",
      "  windowSecnds: unknown key, did you mean \"windowSeconds\"?",
      `  providers[0].rpmLimit: ${limit}, found 0`,
      "  providers[1].name: expected a name of its own, found the name of providers[0]"
    ].join("\n"))
  })

  it("takes `undefined` for absent, limits that are not whole, and keys that are redacted already", () => {
    const config = decoded({
      providers: [{ name: "a", apiKey: Redacted.make("sk-1"), model: undefined, rpmLimit: 1.5, weight: 0 }],
      redisUrl: undefined,
      highPriorityReservePct: 0
    })
    expect(config.providers[0]).toEqual({
      name: "a",
      apiKey: Redacted.make("sk-1"),
      model: undefined,
      rpmLimit: 1.5,
      weight: 0
    })
    expect(decoded({ providers: [] })).toEqual({ providers: [] })
  })

  it("never prints a key or an address once decoded", () => {
    const config = decoded({ providers: [{ name: "a", apiKey: "sk-1" }], redisUrl: "redis://:hunter2@h" })
    expect(config.providers[0]?.apiKey && Redacted.value(config.providers[0].apiKey)).toBe("sk-1")
    expect(config.redisUrl && Redacted.value(config.redisUrl)).toBe("redis://:hunter2@h")
    const printed = JSON.stringify(config) + Inspectable.format(config) + String(config.redisUrl)
    expect(printed).not.toMatch(/sk-1|hunter2/)
  })

  it("never lets a secret into an error", () => {
    const canary = "canary-7d1f"
    const spoilt = FastCheck.constantFrom(
      `${canary} x`,
      `${canary}\n`,
      ` ${canary}`,
      [canary],
      { [canary]: canary },
      `é${canary}`
    )
    FastCheck.assert(
      FastCheck.property(spoilt, spoilt, spoilt, FastCheck.boolean(), (apiKey, redisUrl, baseUrl, asText) => {
        const broken = { name: "a", apiKey, baseUrl, rpmLimit: 0 }
        const result = decodeRouterConfig({ providers: [asText ? `apiKey:${canary}` : broken], redisUrl })
        if (Either.isRight(result)) throw new Error("accepted")
        expect(JSON.stringify(result.left) + result.left.message + String(result.left)).not.toContain(canary)
      })
    )
  })
})

describe("toRouterOptions", () => {
  const options = (config: RouterConfigInput) => Effect.runSync(RouterOptions.make(toRouterOptions(decoded(config))))

  it("keeps every default where the configuration is silent", () => {
    expect(options({ providers: [] })).toEqual(Effect.runSync(RouterOptions.make({})))
    expect(options({ providers: [], weights: {}, circuitBreaker: {} })).toEqual(Effect.runSync(RouterOptions.make({})))
  })

  it("maps each field; one set of weights is the normal lane's", () => {
    const set = { capacity: 1, latency: 2, static: 3 }
    const mapped = options({
      providers: [],
      windowSeconds: 0.5,
      weights: set,
      circuitBreaker: {
        failureThreshold: 2,
        cooldownSeconds: 7,
        maxCooldownSeconds: 70,
        errorRatio: 0.25,
        minimumCalls: 9,
        rampSeconds: 5,
        lastResort: false
      },
      timeoutSeconds: 90,
      attemptTimeoutSeconds: 40,
      maxAttempts: 3,
      highPriorityReservePct: 12.5
    })
    expect(mapped).toMatchObject({
      window: 500,
      weights: { normal: set, high: { latency: 0.4 } },
      breaker: {
        failureThreshold: 2,
        cooldown: 7_000,
        maxCooldown: 70_000,
        errorRatio: 0.25,
        minimumCalls: 9,
        ramp: 5_000,
        lastResort: Infinity
      },
      timeout: 90_000,
      attemptTimeout: 40_000,
      maxAttempts: 3,
      highPriorityReservePct: 12.5
    })
    expect(options({ providers: [], weights: { low: set } }).weights).toMatchObject({
      low: set,
      normal: { capacity: 0.5 }
    })
  })
})
