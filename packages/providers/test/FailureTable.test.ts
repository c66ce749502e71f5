/** Every signal of every vendor, through its own SDK and the router: what the request does, and what the provider meets. */
import { describe, expect, it } from "@effect/vitest"
import { type FailureClass, type Provider, ProviderRegistry, Router } from "@route-llm/core"
import { Config, ConfigProvider, Effect, Either, Layer } from "effect"
import OpenAI from "openai"
import * as OpenAi from "../src/OpenAi.ts"
import { google, openai, perDay, perMinute, retryIn, rows } from "./errorRows.ts"
import { type Canned, connect, hello, serve, type Vendor } from "./helpers.ts"
import { routing, second, status } from "./routing.ts"

const minute = 60_000

interface Expected {
  readonly goesOn: boolean | "to larger ones"
  readonly opens: boolean
  /** Where the vendor names no time. */
  readonly benchedForMs?: number
}

/** Written out once more: whoever changes the table in core must want it. */
const table: Readonly<Record<FailureClass, Expected>> = {
  rate_limit: { goesOn: true, opens: false, benchedForMs: 5_000 },
  quota: { goesOn: true, opens: false, benchedForMs: 60 * minute },
  overloaded: { goesOn: true, opens: true },
  transient: { goesOn: true, opens: true },
  timeout: { goesOn: true, opens: true },
  network: { goesOn: true, opens: true },
  truncated: { goesOn: true, opens: true },
  credential: { goesOn: true, opens: false, benchedForMs: 5 * minute },
  model_gone: { goesOn: true, opens: false, benchedForMs: 5 * minute },
  context_too_long: { goesOn: "to larger ones", opens: false },
  request_too_large: { goesOn: true, opens: false },
  content_policy: { goesOn: false, opens: false },
  caller_fault: { goesOn: false, opens: false },
  cancelled: { goesOn: false, opens: false }
}

/** One request; the second provider's window is larger, or not. */
const routed = (first: Provider, contextWindow: number) => {
  const { events, layer } = routing([{ ...first, contextWindow: 1_000 }, { ...second, contextWindow }])
  return Effect.gen(function*() {
    const answer = yield* Effect.either(Effect.flatMap(Router, (router) => router.chat(hello)))
    return { answer, events, provider: (yield* status)[first.name]! }
  }).pipe(Effect.provide(layer))
}

const check = (vendor: Vendor, canned: Canned, failure: FailureClass, namedMs?: number) =>
  Effect.gen(function*() {
    const server = yield* serve(canned)
    const { benchedForMs, goesOn, opens } = table[failure]
    for (const contextWindow of [1_000, 2_000]) {
      const { answer, events, provider } = yield* routed(connect(vendor, server.url), contextWindow)
      const answers = goesOn === true || (goesOn === "to larger ones" && contextWindow > 1_000)
      expect(events.map(({ outcome, provider: name }) => [name, outcome]))
        .toEqual([[vendor, failure], ...(answers ? [["second", "success"]] : [])])
      if (answers) expect(Either.getOrThrow(answer)).toMatchObject({ provider: "second", attempts: 2 })
      else {
        expect(Either.getOrThrow(Either.flip(answer)))
          .toMatchObject({ _tag: "AllProvidersFailed", attempts: [{ provider: vendor, class: failure }] })
      }
      expect(provider).toMatchObject({ circuit: opens ? "open" : "closed", inFlight: 0 })
      const expectedMs = namedMs ?? benchedForMs
      if (expectedMs === undefined) expect(provider.benchedForMs).toBeUndefined()
      else {
        expect(provider.benchedBecause).toBe(failure)
        // On the wall clock, which goes on meanwhile.
        expect(provider.benchedForMs).toBeLessThanOrEqual(expectedMs)
        expect(provider.benchedForMs).toBeGreaterThan(expectedMs - 2_000)
      }
    }
    expect(server.requests).toHaveLength(2)
  })

/** What the body of a row says of when to come back. */
const named: Readonly<Record<string, number>> = { "gemini: minute": 22_000 }

describe("every row", () => {
  it.scoped.each(rows)(
    "%s, %s",
    ([name, vendor, statusCode, body, failure]) =>
      check(vendor, { status: statusCode, body }, failure, named[`${vendor}: ${name}`])
  )
})

describe("no answer", () => {
  it.scoped.each(["openai", "anthropic", "gemini", "groq"] as const)(
    "%s: a connection that breaks",
    (vendor) =>
      Effect.zipRight(
        check(vendor, { fault: "reset" }, "network"),
        check(vendor, { fault: "cut", body: "{\"a\":", headers: { "content-type": "application/json" } }, "network")
      )
  )
})

describe("when to come back", () => {
  const limited = openai("rate_limit_exceeded")
  it.scoped.each<readonly [string, Vendor, Canned, FailureClass, number]>([
    ["seconds", "openai", { status: 429, body: limited, headers: { "retry-after": "90" } }, "rate_limit", 90_000],
    ["ms", "openai", { status: 429, body: limited, headers: { "retry-after-ms": "45000" } }, "rate_limit", 45_000],
    [
      "words",
      "groq",
      { status: 429, body: openai("rate_limit_exceeded", "Please try again in 1m30s.") },
      "rate_limit",
      90_000
    ],
    [
      "a minute",
      "gemini",
      { status: 429, body: google(429, "RESOURCE_EXHAUSTED", "m", [perMinute, retryIn("40s")]) },
      "rate_limit",
      40_000
    ],
    [
      "a day, whose delay misleads",
      "gemini",
      { status: 429, body: google(429, "RESOURCE_EXHAUSTED", "m", [perDay, retryIn("20s")]) },
      "quota",
      60 * minute
    ]
  ])("is the vendor's word: %s, %s", ([_, vendor, canned, failure, ms]) => check(vendor, canned, failure, ms))
})

it.effect("a provider knows its model's window, and its rows, also from the environment", () =>
  Effect.gen(function*() {
    const client = new OpenAI({ apiKey: "k" })
    expect(yield* OpenAi.make({ name: "a", client, contextWindow: 128_000 })).toMatchObject({ contextWindow: 128_000 })
    const layer = OpenAi.layerConfig({
      name: "a",
      apiKey: "k",
      contextWindow: Config.integer("WINDOW"),
      failures: [{ class: "overloaded", status: [400] }]
    }).pipe(
      Layer.provide(Layer.setConfigProvider(ConfigProvider.fromMap(new Map([["WINDOW", "9000"]])))),
      Layer.provideMerge(ProviderRegistry.layer)
    )
    const program = Effect.flatMap(ProviderRegistry, ({ providers }) => providers)
    expect(yield* Effect.provide(program, layer)).toMatchObject([{ name: "a", contextWindow: 9_000 }])
  }))

describe("rows of the user's own", () => {
  const busy = { status: 400, body: openai(null, "no upstream has capacity", "invalid_request_error") }

  const gateway = (url: string) =>
    OpenAi.make({
      name: "openai",
      client: new OpenAI({ apiKey: "k", baseURL: url }),
      failures: [
        { class: "credential", status: [401] },
        { class: "overloaded", status: [400], message: /no upstream has capacity/g }
      ]
    })

  it.scoped("of a provider say what its vendor's signals mean, before the table", () =>
    Effect.gen(function*() {
      const { url } = yield* serve(busy)
      const provider = yield* gateway(url)
      // Twice, since a pattern with `g` remembers where it was.
      for (let turn = 0; turn < 2; turn++) {
        const { events } = yield* routed(provider, 1)
        expect(events.map(({ outcome }) => outcome)).toEqual(["overloaded", "success"])
      }
      const { answer } = yield* routed(connect("openai", url), 1)
      expect(Either.isLeft(answer)).toBe(true)
    }))

  it.scoped("of a provider leave to the table what they do not match", () =>
    Effect.gen(function*() {
      const { url } = yield* serve({ status: 404, body: openai("model_not_found") })
      const { events } = yield* routed(yield* gateway(url), 1)
      expect(events.map(({ outcome }) => outcome)).toEqual(["model_gone", "success"])
    }))

  it.scoped("of the router say what a class does", () =>
    Effect.gen(function*() {
      const { url } = yield* serve({ status: 400, body: openai("content_policy_violation") })
      const failures = { content_policy: { request: "next", bench: "1 minute" } } as const
      const { layer } = routing([connect("openai", url), second], { failures })
      const program = Effect.gen(function*() {
        expect(yield* (yield* Router).chat(hello)).toMatchObject({ provider: "second" })
        expect((yield* status).openai).toMatchObject({ benchedBecause: "content_policy" })
      })
      yield* Effect.provide(program, layer)
    }))
})
