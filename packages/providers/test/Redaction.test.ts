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
    ["connect failed: http://user:canary@proxy.internal:8080/v1", "canary"],
    ["connect failed: redis://:can@ary@host:6379", "can@"]
  ])("%s", (message, secret) => {
    expect(said(message)).not.toContain(secret)
    expect(said(message)).toContain("[redacted]")
  })

  it("figures and names of limits are not taken for keys", () => {
    const words = "Rate limit reached for gpt-4o on tokens per min (TPM): Limit 30000, Used 29000, Requested 2000."
    expect(said(words)).toBe(words)
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

  it("but what does not quote it stays", () => {
    const failure = classify({ status: 400, error: { message: "max_tokens must be positive" } }, { nowMs: 0, request })
    expect(failure.message).toBe("max_tokens must be positive")
  })

  it("long, or a page", () => {
    const long = said("word ".repeat(10_000))
    expect(long).toHaveLength(300)
    expect(long.endsWith("…")).toBe(true)
    expect(said("<!DOCTYPE html><html>…")).toBe("The vendor answered with a page, not in its error format.")
  })

  it("and the thrown value, with its headers and body, is not kept", () => {
    const failure = classify(new Error(`x ${"sk-canarycanary"}`), { nowMs: 0 })
    expect(failure.cause).toBeUndefined()
  })
})
