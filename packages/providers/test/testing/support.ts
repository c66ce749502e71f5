/**
 * The official SDKs under one signature, so that one suite can say of every vendor what holds for every vendor. Each is
 * the real SDK over a real connection; only the base URL is ours.
 */
import Anthropic from "@anthropic-ai/sdk"
import { ApiError, GoogleGenAI } from "@google/genai"
import { Data, Effect } from "effect"
import Groq from "groq-sdk"
import OpenAI from "openai"
import { expect } from "vitest"
import { LoopbackVendor, noLatency } from "../../src/testing/index.ts"
import type { Counts, LoopbackVendorOptions, VendorName } from "../../src/testing/index.ts"

export interface Asked {
  readonly content: string
  readonly apiKey?: string
  readonly model?: string
  readonly maxTokens?: number
}

export interface Answered {
  readonly text: string
  readonly model: string | undefined
  readonly finish: string | null | undefined
  readonly inputTokens: number | undefined
  readonly outputTokens: number | undefined
  readonly headers: Headers
}

/** What the SDK threw. `body` is the vendor's error body, however the SDK wraps it. */
export class Failed extends Data.TaggedError("Failed")<{
  readonly cause: unknown
  readonly status: number | undefined
  readonly body: unknown
  readonly headers: Headers
}> {}

type Sdk = (url: string, asked: Asked, signal: AbortSignal) => Promise<Answered>

const openai: Sdk = async (baseURL, { apiKey = "key", content, maxTokens, model = "gpt-4o" }, signal) => {
  const client = new OpenAI({ apiKey, baseURL, maxRetries: 0 })
  const { data, response } = await client.chat.completions.create({
    model,
    messages: [{ role: "user", content }],
    ...(maxTokens === undefined ? {} : { max_completion_tokens: maxTokens })
  }, { signal }).withResponse()
  return {
    text: data.choices[0]?.message.content ?? "",
    model: data.model,
    finish: data.choices[0]?.finish_reason,
    inputTokens: data.usage?.prompt_tokens,
    outputTokens: data.usage?.completion_tokens,
    headers: response.headers
  }
}

const groq: Sdk = async (baseURL, { apiKey = "key", content, maxTokens, model = "llama-3.3-70b" }, signal) => {
  const client = new Groq({ apiKey, baseURL, maxRetries: 0 })
  const { data, response } = await client.chat.completions.create({
    model,
    messages: [{ role: "user", content }],
    ...(maxTokens === undefined ? {} : { max_tokens: maxTokens })
  }, { signal }).withResponse()
  return {
    text: data.choices[0]?.message.content ?? "",
    model: data.model,
    finish: data.choices[0]?.finish_reason,
    inputTokens: data.usage?.prompt_tokens,
    outputTokens: data.usage?.completion_tokens,
    headers: response.headers
  }
}

const anthropic: Sdk = async (
  baseURL,
  { apiKey = "key", content, maxTokens = 4096, model = "claude-model" },
  signal
) => {
  const client = new Anthropic({ apiKey, baseURL, maxRetries: 0 })
  const { data, response } = await client.messages.create({
    model,
    max_tokens: maxTokens,
    messages: [{ role: "user", content }]
  }, { signal }).withResponse()
  return {
    text: data.content.map((block) => block.type === "text" ? block.text : "").join(""),
    model: data.model,
    finish: data.stop_reason,
    inputTokens: data.usage.input_tokens,
    outputTokens: data.usage.output_tokens,
    headers: response.headers
  }
}

const gemini: Sdk = async (baseUrl, { apiKey = "key", content, maxTokens, model = "gemini-2.5-flash" }, signal) => {
  const client = new GoogleGenAI({ apiKey, httpOptions: { baseUrl } })
  const answer = await client.models.generateContent({
    model,
    contents: content,
    config: { abortSignal: signal, ...(maxTokens === undefined ? {} : { maxOutputTokens: maxTokens }) }
  })
  return {
    text: answer.text ?? "",
    model: answer.modelVersion,
    finish: answer.candidates?.[0]?.finishReason,
    inputTokens: answer.usageMetadata?.promptTokenCount,
    outputTokens: answer.usageMetadata?.candidatesTokenCount,
    headers: new Headers(answer.sdkHttpResponse?.headers)
  }
}

const sdks: { readonly [Vendor in VendorName]: Sdk } = { openai, anthropic, gemini, groq }

const failed = (cause: unknown): Failed => {
  if (cause instanceof OpenAI.APIError) {
    return new Failed({
      cause,
      status: cause.status,
      body: { error: cause.error },
      headers: cause.headers ?? new Headers()
    })
  }
  if (cause instanceof Groq.APIError || cause instanceof Anthropic.APIError) {
    return new Failed({ cause, status: cause.status, body: cause.error, headers: cause.headers ?? new Headers() })
  }
  if (cause instanceof ApiError) {
    return new Failed({ cause, status: cause.status, body: JSON.parse(cause.message), headers: new Headers() })
  }
  return new Failed({ cause, status: undefined, body: undefined, headers: new Headers() })
}

/** One chat through the vendor's SDK; interruption aborts it. */
export const chat = (vendor: LoopbackVendor, asked: Asked): Effect.Effect<Answered, Failed> =>
  Effect.tryPromise({ try: (signal) => sdks[vendor.vendor](vendor.url, asked, signal), catch: failed })

/** A vendor that answers at once, unless told. */
export const make = (options: LoopbackVendorOptions) => LoopbackVendor.make({ latency: noLatency, ...options })

/** 4 tokens for the message and 8 for its 30 characters. */
export const prompt = "please [answer with 30 tokens]"
export const promptTokens = 12

/** Every exchange has exactly one outcome, or is in flight. */
export const addsUp = (counts: Counts): void =>
  expect(counts.served + counts.rateLimited + counts.failed + counts.aborted + counts.inFlight).toBe(counts.received)
