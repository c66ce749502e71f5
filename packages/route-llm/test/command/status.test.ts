import { StatusReport } from "@route-llm/core"
import { Effect, Schema } from "effect"
import { describe, expect, it } from "vitest"
import { hello, promised, run } from "../http/support.ts"
import { routeLlm, serve, startApp } from "./run.ts"

const read = Schema.decodeUnknownSync(Schema.parseJson(StatusReport), { onExcessProperty: "error" })

describe("route-llm status on a pipe", () => {
  it("is a plain table, whatever the environment says of colours", () =>
    run(Effect.gen(function*() {
      const { router, url } = yield* startApp
      yield* promised(() => router.chat(hello))
      const { code, stderr, stdout } = yield* promised(() =>
        routeLlm(["status", "--url", url], { env: { FORCE_COLOR: "3" } })
      )
      expect([code, stderr]).toEqual([0, ""])
      expect(stdout).not.toContain("\u001b")
      const lines = stdout.split("\n")
      expect(lines[0]).toMatch(/^ 2 providers, 2 in service · nobody waits · up \S+ \w+$/)
      expect(lines[1]).toMatch(/^ 1 request: 1 served · 0 fallbacks · \d+ tokens in, 3 out$/)
      expect(lines[3]?.trim().split(/ {2,}/)).toEqual([
        "provider",
        "model",
        "rpm",
        "tpm",
        "headroom",
        "circuit",
        "latency",
        "1st token",
        "in flight"
      ])
      expect(lines[4]).toMatch(/^ first +\S+ +1 \/ 100 +\d+ \/ 10,000 +9\d % +closed /)
      expect(lines[5]).toMatch(/^ second +\S+ +0 \/ 50 +0 +100 % +closed /)
    })), 30_000)

  it("prints with --json what its schema takes, and nothing else", () =>
    run(Effect.gen(function*() {
      const { router, url } = yield* startApp
      yield* promised(() => router.chat(hello))
      const { code, stderr, stdout } = yield* promised(() => routeLlm(["status", "--url", `${url}/status/`, "--json"]))
      expect([code, stderr]).toEqual([0, ""])
      expect(read(stdout)).toMatchObject({
        providers: [{ name: "first", rpmUsed: 1, rpmLimit: 100 }, { name: "second", rpmUsed: 0, rpmLimit: 50 }],
        totals: { requests: 1, served: 1 }
      })
    })), 30_000)

  it("exits with 3 when no provider is in service", () =>
    run(Effect.gen(function*() {
      const { router, url } = yield* startApp
      yield* promised(() => router.forceOpen("first"))
      expect(yield* promised(() => routeLlm(["status", "--url", url]))).toMatchObject({ code: 0 })
      yield* promised(() => router.forceOpen("second", { for: "10 minutes" }))
      const { code, stdout } = yield* promised(() => routeLlm(["status", "--url", url]))
      expect(code).toBe(3)
      expect(stdout).toMatch(/^ 2 providers, 0 in service/)
      expect(stdout).toMatch(/first .* open by hand .*\n second .* open, 10 min/)
    })), 30_000)

  it("--watch prints one report after the other, until it is ended", () =>
    run(Effect.gen(function*() {
      const { url } = yield* startApp
      const args = ["status", "--url", url, "--watch", "--interval", "0.1", "--json"]
      const { code, stdout } = yield* promised(() =>
        routeLlm(args, { onOutput: (seen, stop) => seen.split("\n").length > 3 && stop() })
      )
      expect(code).toBe(130)
      const reports = stdout.trimEnd().split("\n").map((line) => read(line))
      expect(reports.length).toBeGreaterThanOrEqual(3)
      for (const [i, { timestamp }] of reports.slice(1).entries()) {
        expect(timestamp - reports[i]!.timestamp).toBeGreaterThanOrEqual(100)
      }
    })), 30_000)
})

describe("what cannot be shown", () => {
  it("is an application that does not answer: exit code 1, and what to look at", () =>
    run(Effect.gen(function*() {
      const { stop, url } = yield* startApp
      stop()
      const { code, stderr, stdout } = yield* promised(() => routeLlm(["status", "--url", url]))
      expect([code, stdout]).toEqual([1, ""])
      expect(stderr).toBe(
        `${url} did not answer (ECONNREFUSED). Is the application running, and does it serve \`statusHandler\` there?\n`
      )
    })), 60_000)

  it("is one that guards its status; ROUTE_LLM_TOKEN is what opens it", () =>
    run(Effect.gen(function*() {
      const { router } = yield* startApp
      const { url } = yield* serve((request) =>
        request.headers.get("authorization") === "Bearer let-me-in"
          ? router.statusHandler(request)
          : Promise.resolve(new Response("no", { status: 401 }))
      )
      const refused = yield* promised(() => routeLlm(["status", "--url", url], { env: { ROUTE_LLM_TOKEN: "wrong" } }))
      expect(refused).toMatchObject({ code: 1, stdout: "" })
      expect(refused.stderr).toContain("answered 401: set ROUTE_LLM_TOKEN")
      expect(refused.stderr).not.toContain("wrong")
      const shown = yield* promised(() => routeLlm(["status", "--url", url], { env: { ROUTE_LLM_TOKEN: "let-me-in" } }))
      expect(shown).toMatchObject({ code: 0, stderr: "" })
      const spaced = yield* promised(() =>
        routeLlm(["status", "--url", url], { env: { ROUTE_LLM_TOKEN: " let-me-in\n" } })
      )
      expect(spaced).toMatchObject({ code: 0, stderr: "" })
      for (const ROUTE_LLM_TOKEN of ["sk-canary\ntoken", "canary-ключ"]) {
        const { code, stderr, stdout } = yield* promised(() =>
          routeLlm(["status", "--url", url], { env: { ROUTE_LLM_TOKEN } })
        )
        expect([code, stdout]).toEqual([2, ""])
        expect(stderr).toBe("ROUTE_LLM_TOKEN is no bearer token: it takes visible ASCII signs, and no space.\n")
      }
    })), 60_000)

  it(
    "is what an application says in words that would command the terminal: they are shown as text",
    () =>
      run(Effect.gen(function*() {
        const message = "a\u0007b\rc\u202ed\n\u001b[2Je"
        const { url } = yield* serve(() => Promise.resolve(Response.json({ error: { message } }, { status: 500 })))
        const once = yield* promised(() => routeLlm(["status", "--url", url]))
        expect(once).toEqual({ code: 1, stdout: "", stderr: `${url} answered 500: a?b?c?d\n?[2Je\n` })
      })),
    60_000
  )

  it("is whatever is no report, or one of another version", () =>
    run(Effect.gen(function*() {
      const { url } = yield* serve(() => Promise.resolve(Response.json({ version: 2, providers: [] })))
      const { code, stderr, stdout } = yield* promised(() => routeLlm(["status", "--url", url]))
      expect([code, stdout]).toEqual([1, ""])
      expect(stderr).toMatch(/answered with something else than this version reads/)
      const page = yield* serve(() => Promise.resolve(new Response("<!doctype html>canary")))
      const html = yield* promised(() => routeLlm(["status", "--url", page.url]))
      expect(html).toEqual({
        code: 1,
        stdout: "",
        stderr: `${page.url} answered with something else than this version reads: it is no JSON. `
          + "Does the application serve `statusHandler` there?\n"
      })
    })), 30_000)

  it("is a shared state without the providers that are in it, by whichever option it was named", async () => {
    for (const option of [["--redis", "redis://:canary@localhost:1"], ["--namespace", "chat"]]) {
      const { code, stderr, stdout } = await routeLlm(["status", ...option])
      expect([code, stdout]).toEqual([2, ""])
      expect(stderr).toBe(
        `${
          option[0]
        } says where the state is; the names of the providers are in --config FILE, and there is no router.yaml here.\n`
      )
    }
  }, 60_000)

  it.each([
    ["a Redis at an address that is none of it", [
      "status",
      "--config",
      "router.yaml",
      "--redis",
      "http://:canary@localhost"
    ]],
    ["a Redis at no address", ["explain", "--config", "router.yaml", "--redis", "redis://canary:99999999"]],
    ["an unknown option", ["status", "--nope"]],
    ["an interval out of range", ["status", "--interval", "0"]],
    ["two places at once", ["status", "--url", "http://localhost", "--config", "router.yaml"]],
    ["nowhere to look", ["status"]],
    ["an address that is none", ["status", "--url", "http://:0:0"]],
    ["a key in the address", ["status", "--url", "http://user:canary@localhost"]]
  ])("is %s: exit code 2", async (_, args) => {
    const { code, stderr, stdout } = await routeLlm(args)
    expect([code, stdout]).toEqual([2, ""])
    expect(stderr).not.toBe("")
    expect(stderr).not.toContain("canary")
  }, 60_000)
})
