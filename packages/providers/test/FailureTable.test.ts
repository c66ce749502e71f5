/** Every signal of every vendor, through its own SDK and the router: what the request does, and what the provider meets. */
import { describe, expect, it } from "@effect/vitest"
import { type FailureClass, type Provider, ProviderFailure, ProviderRegistry, Router } from "@route-llm/core"
import { Config, ConfigProvider, Effect, Either, Layer, Stream } from "effect"
import OpenAI from "openai"
import type { FailureRule } from "../src/FailureRule.ts"
import * as OpenAi from "../src/OpenAi.ts"
import { anthropic, google, openai, perDay, perMinute, retryIn, rows } from "./errorRows.ts"
import { type Canned, connect, hello, serve, type Vendor } from "./helpers.ts"
import { moreRows } from "./moreErrorRows.ts"
import { routing, second, status } from "./routing.ts"

const minute = 60_000

interface Expected {
  readonly goesOn: boolean | "to larger ones"
  readonly opens: boolean
  /** Whether its tokens stay in the window. */
  readonly keepsTokens: boolean
  /** Where the vendor names no time. */
  readonly benchedForMs?: number
}

/** Written out once more: whoever changes the table in core must want it. */
const table: Readonly<Record<FailureClass, Expected>> = {
  rate_limit: { goesOn: true, opens: false, keepsTokens: false, benchedForMs: 5_000 },
  quota: { goesOn: true, opens: false, keepsTokens: false, benchedForMs: 60 * minute },
  overloaded: { goesOn: true, opens: true, keepsTokens: false },
  transient: { goesOn: true, opens: true, keepsTokens: true },
  timeout: { goesOn: true, opens: true, keepsTokens: true },
  network: { goesOn: true, opens: true, keepsTokens: true },
  truncated: { goesOn: true, opens: true, keepsTokens: true },
  credential: { goesOn: true, opens: false, keepsTokens: false, benchedForMs: 5 * minute },
  model_gone: { goesOn: true, opens: false, keepsTokens: false, benchedForMs: 5 * minute },
  context_too_long: { goesOn: "to larger ones", opens: false, keepsTokens: false },
  request_too_large: { goesOn: true, opens: false, keepsTokens: false },
  content_policy: { goesOn: false, opens: false, keepsTokens: true },
  caller_fault: { goesOn: false, opens: false, keepsTokens: false },
  cancelled: { goesOn: false, opens: false, keepsTokens: true }
}

/** One request; the second provider's window is larger, or not. */
const routed = (first: Provider, contextWindow: number) => {
  const { events, layer } = routing([{ ...first, contextWindow: 1_000 }, { ...second, contextWindow }])
  return Effect.gen(function*() {
    const answer = yield* Effect.either(Effect.flatMap(Router, (router) => router.chat(hello)))
    return { answer, events, provider: (yield* status)[first.name]! }
  }).pipe(Effect.provide(layer))
}

/** That a provider whose every call fails so, of two requests, has what the table says. */
const meets = (first: Provider, failure: FailureClass, namedMs?: number) =>
  Effect.gen(function*() {
    const { benchedForMs, goesOn, keepsTokens, opens } = table[failure]
    for (const contextWindow of [1_000, 2_000]) {
      const { answer, events, provider } = yield* routed(first, contextWindow)
      const answers = goesOn === true || (goesOn === "to larger ones" && contextWindow > 1_000)
      expect(events.map(({ outcome, provider: name }) => [name, outcome]))
        .toEqual([[first.name, failure], ...(answers ? [["second", "success"]] : [])])
      if (answers) expect(Either.getOrThrow(answer)).toMatchObject({ provider: "second", attempts: 2 })
      else {
        expect(Either.getOrThrow(Either.flip(answer)))
          .toMatchObject({ _tag: "AllProvidersFailed", attempts: [{ provider: first.name, class: failure }] })
      }
      expect(provider).toMatchObject({ circuit: opens ? "open" : "closed", inFlight: 0 })
      expect(provider.tpmUsed > 0).toBe(keepsTokens)
      const forMs = namedMs ?? benchedForMs
      expect([provider.benchedForMs, provider.benchedBecause])
        .toEqual(forMs === undefined ? [undefined, undefined] : [forMs, failure])
    }
  })

const check = (vendor: Vendor, canned: Canned, failure: FailureClass, namedMs?: number) =>
  Effect.gen(function*() {
    const server = yield* serve(canned)
    yield* meets(connect(vendor, server.url), failure, namedMs)
    expect(server.requests).toHaveLength(2)
  })

/** What the body of a row says of when to come back. */
const named: Readonly<Record<string, number>> = { "gemini: minute": 22_000 }

describe("every row", () => {
  it.scoped.each([...rows, ...moreRows])(
    "%s, %s",
    ([name, vendor, statusCode, body, failure]) =>
      check(vendor, { status: statusCode, body }, failure, named[`${vendor}: ${name}`])
  )

  it("there is one of each class, but for those that are no answer", () => {
    const without = ["network", "truncated", "cancelled"]
    expect(new Set(rows.map((row) => row[4])))
      .toEqual(new Set(Object.keys(table).filter((name) => !without.includes(name))))
  })
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

  it.effect.each(["truncated", "cancelled"] as const)(
    "what no whole answer tells: %s",
    (failure) =>
      meets({ ...second, name: "first", chat: () => new ProviderFailure({ class: failure, message: "m" }) }, failure)
  )
})

describe("when to come back", () => {
  const limited = openai("rate_limit_exceeded")
  const wrong = { status: 422, body: openai(null), headers: { "retry-after": "90" } }
  it.scoped.each<readonly [string, Vendor, Canned, FailureClass, number | undefined]>([
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
    ],
    [
      "a limit's, which is not this request's",
      "openai",
      {
        status: 429,
        body: openai("rate_limit_exceeded", "Request too large for m on tokens per min (TPM): Limit 3, Requested 4."),
        headers: { "retry-after": "60" }
      },
      "request_too_large",
      undefined
    ],
    [
      "Azure's words",
      "openai",
      { status: 429, body: openai("429", "Please retry after 26 seconds.") },
      "rate_limit",
      26_000
    ],
    ["none", "openai", { status: 429, body: limited, headers: { "retry-after": "0" } }, "rate_limit", 5_000],
    [
      "an overload",
      "anthropic",
      { status: 529, body: anthropic("overloaded_error"), headers: { "retry-after": "20" } },
      "overloaded",
      20_000
    ],
    ["a caller's fault, which is no time", "openai", wrong, "caller_fault", undefined]
  ])("is the vendor's word: %s, %s", ([_, vendor, canned, failure, ms]) => check(vendor, canned, failure, ms))
})

it.scoped("a provider knows its model's window, and its rows, also where its options are read when it is built", () =>
  Effect.gen(function*() {
    const client = new OpenAI({ apiKey: "k" })
    expect(yield* OpenAi.make({ name: "a", client, contextWindow: 128_000 })).toMatchObject({ contextWindow: 128_000 })
    const { url } = yield* serve({ status: 400, body: openai(null) })
    const layer = OpenAi.layerConfig({
      name: "a",
      apiKey: "k",
      baseUrl: url,
      contextWindow: Config.integer("WINDOW"),
      failures: [{ class: "overloaded", status: [400] }]
    }).pipe(
      Layer.provide(Layer.setConfigProvider(ConfigProvider.fromMap(new Map([["WINDOW", "9000"]])))),
      Layer.provideMerge(ProviderRegistry.layer)
    )
    const program = Effect.gen(function*() {
      const [provider] = yield* (yield* ProviderRegistry).providers
      expect(provider).toMatchObject({ name: "a", contextWindow: 9_000 })
      expect((yield* Effect.flip(provider!.chat(hello))).class).toBe("overloaded")
    })
    yield* Effect.provide(program, layer)
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

  it.scoped("of a provider know the vendor's codes, and where its word on when to come back is wrong", () =>
    Effect.gen(function*() {
      const { url } = yield* serve({ status: 429, body: openai("monthly_cap"), headers: { "retry-after": "1" } })
      const capped = (failures?: ReadonlyArray<FailureRule>) =>
        OpenAi.make({ name: "openai", client: new OpenAI({ apiKey: "k", baseURL: url }), failures })
      yield* meets(yield* capped(), "rate_limit", 1_000)
      yield* meets(yield* capped([{ class: "quota", code: /^monthly_cap$/, retryAfter: "ignored" }]), "quota")
    }))

  it.scoped("of a provider hold for streams as well", () =>
    Effect.gen(function*() {
      const { url } = yield* serve(busy)
      const { events, layer } = routing([yield* gateway(url), second])
      yield* Effect.provide(Effect.flatMap(Router, (router) => Stream.runDrain(router.stream(hello))), layer)
      expect(events.map(({ outcome }) => outcome)).toEqual(["overloaded", "success"])
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
