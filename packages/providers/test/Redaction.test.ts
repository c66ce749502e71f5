import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { classify } from "../src/Classify.ts"
import { canary, failWith, vendors } from "./helpers.ts"

const said = (message: string) => classify({ status: 401, error: { message } }, { nowMs: 0 }).message

describe("keys in a vendor's words", () => {
  it.each([
    ["Incorrect API key provided: sk-proj-abcdefgh12345678. Find it", "sk-proj"],
    ["Incorrect API key provided: sk-pr***********************5678. Find it", "5678"],
    ["invalid x-api-key sk-ant-api03-canarycanary", "canary"],
    ["API key not valid: AIzaSyCanaryCanaryCanaryCanary", "SyCanary"],
    ["bad key gsk_canarycanarycanary", "canary"],
    ["header Authorization: Bearer ey.canary.x was refused", "canary"],
    ["GET /v1?key=canary123456&alt=sse", "canary"],
    ["got {\"api_key\": \"canary-123456\"}", "canary"],
    ["api_key=canary123456", "canary"],
    ["x-goog-api-key: canary123456", "canary"],
    ["connect ECONNREFUSED redis://:canary@host:6379", "canary"],
    ["connect redis://default:can@ca/nary@host:6379", "nary"],
    ["Invalid URL redis://:can/ary@host:6379/0", "ary"],
    ["proxy https://user:canary@proxy.example.com:8080/x failed", "canary"],
    ["https://canary@o1.ingest.example.com/2", "canary"],
    ["connect failed: redis://:can@ary@host:6379", "can@"],
    ["password=canary123456", "canary"]
  ])("%s", (message, secret) => {
    expect(said(message)).not.toContain(secret)
    expect(said(message)).toContain("[redacted]")
  })

  it("figures and names of limits are not taken for keys", () => {
    const words = "Rate limit reached for gpt-4o on tokens per min (TPM): Limit 30000, Used 29000, Requested 2000."
    expect(said(words)).toBe(words)
  })

  it("nor is what only looks like a URL's password", () => {
    for (const words of ["see https://example.com/docs/a@b", "http://localhost:3000/@scope/x", "ask me@example.com"]) {
      expect(said(words)).toBe(words)
    }
    expect(said("connect redis://:secret@host:6379 failed")).toBe("connect redis://[redacted]@host:6379 failed")
  })

  for (const vendor of vendors) {
    it.scoped(`${vendor}: the client's own key never shows, whatever its form`, () =>
      Effect.gen(function*() {
        const words = `Key ${canary} (${canary}) is refused`
        const { failure } = yield* failWith(vendor, { status: 401, body: { error: { message: words } } })
        expect(failure.class).toBe("credential")
        expect(JSON.stringify(failure)).not.toContain(canary)
        expect(String(failure)).not.toContain(canary)
        expect(failure.message).toContain("[redacted]")
      }))
  }
})

describe("what else a message must not be", () => {
  const prompt = "The patient's name is Ada Lovelace and her address is 12 St James's Square."
  const request = { messages: [{ role: "user", content: prompt }] } as const

  it("a quotation of the request, in whole or in part", () => {
    for (const quoted of [prompt, prompt.slice(10, 60), `[{'loc': ['body'], 'input': '${prompt.slice(0, 40)}…'}]`]) {
      const failure = classify({ status: 400, error: { message: `Invalid: ${quoted}` } }, { nowMs: 0, request })
      expect(failure.class).toBe("caller_fault")
      expect(failure.message).toBe("The vendor's message quotes the request, so it is withheld.")
    }
    const short = { messages: [{ role: "user", content: [{ type: "text", text: "Ada Lovelace" }] }] } as const
    expect(classify({ message: "no Ada Lovelace here" }, { nowMs: 0, request: short }).message).toContain("withheld")
  })

  it("also where quoting changed its white space or escaped it", () => {
    const lines = {
      messages: [{ role: "user", content: "name: Bob Smith\nssn: 123-45-6789\nsay \"hi\" to him\n" }]
    } as const
    for (const quoted of [lines.messages[0].content, JSON.stringify(lines.messages[0].content)]) {
      expect(classify({ message: `Invalid: ${quoted}` }, { nowMs: 0, request: lines }).message).toContain("withheld")
    }
  })

  const quoted = (words: string, content: string): boolean =>
    classify({ message: words }, { nowMs: 0, request: { messages: [{ role: "user", content }] } }).message
      .includes("withheld")

  it("wherever a piece of 24 characters begins, in either", () => {
    const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
    for (let before = 0; before < 13; before++) {
      for (const length of [23, 24, 25, 35, 36]) {
        const secret = alphabet.slice(0, length)
        for (let ahead = 0; ahead < 13; ahead++) {
          const words = `${"-".repeat(before)}${secret}${"-".repeat(9)}`
          expect(quoted(words, `${"_".repeat(ahead)}${secret}${"_".repeat(20)}`)).toBe(length >= 24)
        }
      }
    }
  })

  it("also in the escapes of JSON, once or twice", () => {
    const content = "Мой пароль тайна, и никто его не знает: 🔑 «лес»"
    const escaped = [...Array(content.length).keys()]
      .map((index) => `\\u${content.charCodeAt(index).toString(16).padStart(4, "0")}`)
    expect(quoted(`Invalid: ${escaped.slice(0, 40).join("")}`, content)).toBe(true)
    expect(quoted(`Invalid: ${JSON.stringify(escaped.slice(0, 40).join(""))}`, content)).toBe(true)
    expect(quoted(`Invalid: ${escaped.slice(0, 20).join("")}`, content)).toBe(false)
    expect(quoted("Invalid: \\u041c\\u043e\\u0439 \\u0433\\u043e\\u0434", "Мой год.")).toBe(false)
    expect(quoted("Invalid: \\u041c\\u043e\\u0439 \\u0433\\u043e\\u0434.", "Мой год.")).toBe(true)
    expect(quoted("Invalid: \"https:\\/\\/example.com\\/a\\/b\"", "Read https://example.com/a/b")).toBe(true)
    expect(quoted("input='12 St James\\'s Square, London'", "Send it to 12 St James's Square, London")).toBe(true)
  })

  it("in a long request, in linear time", () => {
    const round = "abcdefghijkl0"
    const content = round.repeat(40_000)
    // Every half-piece of it is in the words, no piece is.
    const words = Array.from({ length: 12 }, (_, turn) => round.repeat(2).slice(turn, turn + 12)).join(" ")
    expect(quoted(words, content)).toBe(false)
    expect(quoted(`${words} ${"end of it all ".repeat(2)}`, `${content} ${"end of it all ".repeat(2)}`)).toBe(true)
    expect(quoted("Invalid", "\\".repeat(500_000))).toBe(false)
  })

  it("but what does not quote it stays", () => {
    const failure = classify({ status: 400, error: { message: "max_tokens must be positive" } }, { nowMs: 0, request })
    expect(failure.message).toBe("max_tokens must be positive")
  })

  it("long, or a page", () => {
    const long = said("word ".repeat(10_000))
    expect(long).toHaveLength(300)
    expect(long.endsWith("…")).toBe(true)
    const page = "The vendor answered with a page, not in its error format."
    // The SDKs put the status before it.
    for (const words of ["<!DOCTYPE html><html>…", "403 <html>…", "502 <?xml version=\"1.0\"?>"]) {
      expect(said(words)).toBe(page)
    }
    expect(said("Upstream: <html><body>Blocked 10.0.0.1</body></html>")).toBe("Upstream: (a page)")
    expect(said("5 < 6")).toBe("5 < 6")
  })

  it("and the thrown value, with its headers and body, is not kept", () => {
    const failure = classify(new Error(`x ${"sk-canarycanary"}`), { nowMs: 0 })
    expect(failure.cause).toBeUndefined()
  })
})
