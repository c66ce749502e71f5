/** The official SDKs' streams under one signature. */
import Anthropic from "@anthropic-ai/sdk"
import { GoogleGenAI } from "@google/genai"
import Groq from "groq-sdk"
import OpenAI from "openai"
import type { VendorName } from "../../src/testing/index.ts"

/** What one event of the SDK's says. */
export interface Said {
  readonly text?: string | null | undefined
  readonly call?: { readonly name?: string | undefined; readonly json: string } | undefined
  readonly finish?: string | null | undefined
  readonly usage?: readonly [input: number | undefined, output: number | undefined] | undefined
}

const tool = { name: "get_weather", description: "Weather", parameters: { type: "object" as const, properties: {} } }

type Sdk = (url: string, content: string, signal?: AbortSignal) => AsyncGenerator<Said>

async function* openai(baseURL: string, content: string, signal?: AbortSignal): AsyncGenerator<Said> {
  const client = new OpenAI({ apiKey: "key", baseURL, maxRetries: 0 })
  const stream = await client.chat.completions.create({
    model: "gpt-4o",
    messages: [{ role: "user", content }],
    tools: [{ type: "function", function: tool }],
    stream: true,
    stream_options: { include_usage: true }
  }, { signal: signal ?? null })
  for await (const { choices: [choice], usage } of stream) {
    const called = choice?.delta.tool_calls?.[0]?.function
    yield {
      text: choice?.delta.content,
      call: called && { name: called.name, json: called.arguments ?? "" },
      finish: choice?.finish_reason,
      usage: usage ? [usage.prompt_tokens, usage.completion_tokens] : undefined
    }
  }
}

async function* groq(baseURL: string, content: string, signal?: AbortSignal): AsyncGenerator<Said> {
  const client = new Groq({ apiKey: "key", baseURL, maxRetries: 0 })
  const stream = await client.chat.completions.create({
    model: "llama-3.3-70b",
    messages: [{ role: "user", content }],
    tools: [{ type: "function", function: tool }],
    stream: true
  }, { signal: signal ?? null })
  for await (const { choices: [choice], x_groq: groq } of stream) {
    const called = choice?.delta.tool_calls?.[0]?.function
    yield {
      text: choice?.delta.content,
      call: called && { name: called.name, json: called.arguments ?? "" },
      finish: choice?.finish_reason,
      usage: groq?.usage ? [groq.usage.prompt_tokens, groq.usage.completion_tokens] : undefined
    }
  }
}

async function* anthropic(baseURL: string, content: string, signal?: AbortSignal): AsyncGenerator<Said> {
  const client = new Anthropic({ apiKey: "key", baseURL, maxRetries: 0 })
  const stream = await client.messages.create({
    model: "claude-haiku-4-5",
    max_tokens: 500,
    messages: [{ role: "user", content }],
    tools: [{ name: tool.name, description: tool.description, input_schema: tool.parameters }],
    stream: true
  }, { signal: signal ?? null })
  let inputTokens: number | undefined
  for await (const event of stream) {
    if (event.type === "message_start") inputTokens = event.message.usage.input_tokens
    else if (event.type === "content_block_start" && event.content_block.type === "tool_use") {
      yield { call: { name: event.content_block.name, json: "" } }
    } else if (event.type === "content_block_delta" && event.delta.type === "text_delta") {
      yield { text: event.delta.text }
    } else if (event.type === "content_block_delta" && event.delta.type === "input_json_delta") {
      yield { call: { json: event.delta.partial_json } }
    } else if (event.type === "message_delta") {
      yield { finish: event.delta.stop_reason, usage: [inputTokens, event.usage.output_tokens] }
    } else if (event.type === "message_stop") yield {}
  }
}

async function* gemini(baseUrl: string, content: string, signal?: AbortSignal): AsyncGenerator<Said> {
  const client = new GoogleGenAI({ apiKey: "key", vertexai: false, httpOptions: { baseUrl } })
  const stream = await client.models.generateContentStream({
    model: "gemini-2.5-flash",
    contents: content,
    config: {
      ...(signal === undefined ? {} : { abortSignal: signal }),
      tools: [{ functionDeclarations: [{ name: tool.name, description: tool.description }] }]
    }
  })
  for await (const { candidates: [candidate] = [], usageMetadata: usage } of stream) {
    const called = candidate?.content?.parts?.[0]?.functionCall
    yield {
      text: candidate?.content?.parts?.[0]?.text,
      call: called && { name: called.name, json: JSON.stringify(called.args) },
      finish: candidate?.finishReason,
      usage: usage && [usage.promptTokenCount, usage.candidatesTokenCount]
    }
  }
}

export const streams: Readonly<Record<VendorName, Sdk>> = { openai, anthropic, gemini, groq }

/** All that was said, and what the SDK threw in the end. */
export interface Heard {
  readonly text: string
  readonly calls: ReadonlyArray<{ readonly name: string; readonly args: unknown }>
  readonly finish: string | undefined
  readonly usage: Said["usage"]
  readonly thrown: unknown
}

export const listen = async (events: AsyncIterable<Said>): Promise<Heard> => {
  const heard = {
    text: "",
    calls: [] as Array<{ name: string; json: string }>,
    finish: undefined as string | undefined
  }
  let usage: Said["usage"]
  let thrown: unknown
  try {
    for await (const said of events) {
      heard.text += said.text ?? ""
      if (said.call?.name !== undefined) heard.calls.push({ name: said.call.name, json: "" })
      const called = heard.calls.at(-1)
      if (said.call !== undefined && called !== undefined) called.json += said.call.json
      heard.finish = said.finish ?? heard.finish
      usage = said.usage ?? usage
    }
  } catch (error) {
    thrown = error
  }
  const calls = heard.calls.map(({ json, name }) => ({ name, args: thrown === undefined ? JSON.parse(json) : json }))
  return { ...heard, calls, usage, thrown }
}
