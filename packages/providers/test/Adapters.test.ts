import AnthropicSdk from "@anthropic-ai/sdk"
import { describe, expect, it } from "@effect/vitest"
import { GoogleGenAI } from "@google/genai"
import GroqSdk from "groq-sdk"
import OpenAI, { AzureOpenAI } from "openai"
import { adapterNames, adapters, isAdapterName, recognise } from "../src/index.ts"

describe("recognise", () => {
  const clients = {
    openai: new OpenAI({ apiKey: "k" }),
    anthropic: new AnthropicSdk({ apiKey: "k" }),
    gemini: new GoogleGenAI({ apiKey: "k", vertexai: false }),
    groq: new GroqSdk({ apiKey: "k" })
  }

  it.each(Object.entries(clients))("%s", (name, client) => {
    expect(recognise(client)).toBe(name)
    expect(adapterNames.filter((other) => adapters[other].recognises(client))).toEqual([name])
  })

  it("subclasses, and what imitates a client", () => {
    expect(recognise(new AzureOpenAI({ apiKey: "k", endpoint: "https://x.openai.azure.com", apiVersion: "v" }))).toBe(
      "openai"
    )
    expect(recognise(new class extends GroqSdk {}({ apiKey: "k" }))).toBe("groq")
    expect(recognise(new Proxy(clients.openai, {}))).toBe("openai")
    expect(recognise({ chat: { completions: { create: () => Promise.resolve() } } })).toBe("openai")
  })

  it("nothing else, and never throws", () => {
    const hostile = new Proxy({}, {
      get: () => {
        throw new Error("hostile")
      }
    })
    const odd = [
      undefined,
      null,
      0,
      "openai",
      Symbol("x"),
      () => 1,
      {},
      [],
      new Date(0),
      hostile,
      { chat: null },
      { chat: { completions: {} } },
      { messages: { create: () => 1 } },
      { models: [] },
      Object.create(null),
      OpenAI
    ]
    expect(odd.map(recognise)).toEqual(odd.map(() => undefined))
  })

  it("names", () => {
    expect(adapterNames).toEqual(Object.keys(adapters))
    expect(adapterNames.map((name) => adapters[name].name)).toEqual(adapterNames)
    expect(["openai", "Openai", "toString", ""].map(isAdapterName)).toEqual([true, false, false, false])
  })
})
