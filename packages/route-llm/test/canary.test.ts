/**
 * Keys, prompts, answers and whatever a vendor says of them are planted wherever they come by; nothing that leaves the
 * router, by whichever door, may hold one.
 */
import { Effect } from "effect"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import OpenAI from "openai"
import { LLMRouter } from "route-llm"
import { expect, it } from "vitest"
import { type Ran, routeLlm, serve } from "./command/run.ts"
import { promised, readFrames, run } from "./http/support.ts"

const key = "sk-canary-key-0123456789abcdef0123456789abcdef"
const prompt = "canary-prompt: how does one keep a secret?"
const answer = "canary-answer: one tells nobody."
const password = "canary-password"
const token = "canary-token"

/** The first signs of each are enough to be found out. */
const planted = ["sk-canary", "canary-prompt", "canary-answer", "canary-tool", password, token]

const completion = {
  id: "chatcmpl-1",
  object: "chat.completion",
  model: "gpt-5.4",
  choices: [{
    index: 0,
    finish_reason: "tool_calls",
    message: {
      role: "assistant",
      content: answer,
      tool_calls: [{ id: "t", type: "function", function: { name: "keep", arguments: "{\"what\":\"canary-tool\"}" } }]
    }
  }],
  usage: { prompt_tokens: 12, completion_tokens: 7, total_tokens: 19 }
}

const chunk = (delta: object, finish_reason: string | null = null): string =>
  `data: ${
    JSON.stringify({ id: "c", object: "chat.completion.chunk", choices: [{ index: 0, delta, finish_reason }] })
  }\n\n`

const streamed = (...chunks: ReadonlyArray<string>) =>
  new Response(chunks.join(""), { headers: { "content-type": "text/event-stream" } })

const failing = (status: number, message: string) =>
  Response.json({ error: { message, type: "invalid_request_error", code: null } }, { status })

/** What vendors answer, each in its own tactless way. */
const answers: Readonly<Record<string, () => Response>> = {
  fine: () => Response.json(completion),
  streams: () => streamed(chunk({ content: answer }), chunk({}, "stop"), "data: [DONE]\n\n"),
  cutOff: () => streamed(chunk({ content: answer })),
  refused: () => failing(401, `Incorrect API key provided: ${key}. Your prompt was: ${prompt}`),
  overloaded: () => failing(503, `We could not answer "${prompt}" for ${key}`),
  ill: () => new Response(`<html>${key} ${prompt} ${answer}</html>`, { status: 500 }),
  wrong: () => failing(400, `Invalid content: ${prompt}`),
  unreadable: () => new Response(`{ ${answer} ${key}`, { headers: { "content-type": "application/json" } }),
  gone: () => {
    throw new TypeError(`fetch failed: https://user:${password}@vendor.test/?key=${key}`)
  }
}

const makeRouter = (heard: (text: string) => void) => {
  const router = LLMRouter.fromConfig({ providers: [] }, {
    estimator: "heuristic",
    onRoute: (event) => heard(JSON.stringify(event))
  })
  for (const [name, respond] of Object.entries(answers)) {
    const client = new OpenAI({ apiKey: key, baseURL: "https://vendor.test/v1", fetch: async () => respond() })
    router.register(name, { client, rpm: 1_000, tpm: 100_000 })
  }
  return router
}

const request = (provider: string) => ({
  messages: [{ role: "system" as const, content: prompt }, { role: "user" as const, content: prompt }],
  forceProvider: provider,
  sessionId: "user-42",
  maxAttempts: 1,
  explain: true,
  tools: [{ type: "function" as const, function: { name: "keep", description: "canary-tool" } }]
})

/** An error as people log it. */
const logged = (error: unknown): string =>
  `${String(error)} ${JSON.stringify(error)} ${error instanceof Error ? `${error.stack} ${String(error.cause)}` : ""}`

const drained = async (parts: AsyncIterable<unknown>): Promise<void> => {
  for await (const _ of parts);
}

/** Every provider answers a chat and a stream; what the errors say, and the trace that came with the answer. */
const used = async (router: LLMRouter): Promise<ReadonlyArray<string>> => {
  const said: Array<string> = []
  for (const name of Object.keys(answers)) {
    await router.chat(request(name)).then(
      ({ route }) => said.push(JSON.stringify(route)),
      (error: unknown) => said.push(logged(error))
    )
    await drained(router.streamParts(request(name))).catch((error: unknown) => said.push(logged(error)))
  }
  // Nothing is taken either.
  await router.chat({ ...request("fine"), temperature: prompt as unknown as number }).catch((error: unknown) =>
    said.push(logged(error))
  )
  return said
}

const served = async (url: string, init?: RequestInit): Promise<string> => {
  const response = await fetch(url, init)
  return `${[...response.headers].join()} ${await response.text()}`
}

const configuration = (redis = "") =>
  `providers:
  - { name: openai, api_key: ${key} }
  - { name: groq, api_key: "\${CANARY_KEY}", rpm_limit: ${key} }
${key}: ${key}
${redis}`

const outputs = ({ code, stderr, stdout }: Ran): string => `${code} ${stdout} ${stderr}`

const typed = async (url: string, folder: string): Promise<ReadonlyArray<string>> => {
  const [wrong, good, file] = [join(folder, "wrong.yaml"), join(folder, "good.yaml"), join(folder, "request.json")]
  await writeFile(wrong, configuration(`redis_url: redis://:${password}@localhost:1\n`))
  await writeFile(good, `providers: [{ name: openai, api_key: ${key} }]\n`)
  await writeFile(file, JSON.stringify(request("fine")))
  const env = { ROUTE_LLM_TOKEN: token, CANARY_KEY: key, OPENAI_API_KEY: key }
  const runs: ReadonlyArray<ReadonlyArray<string>> = [
    ["status", "--url", url],
    ["status", "--url", url, "--json"],
    ["status", "--url", "http://localhost:9"],
    ["status", "--url", `http://user:${password}@localhost`],
    ["status", "--config", good],
    ["status", "--config", good, "--redis", `redis://:${password}@localhost:1`],
    ["explain", "--url", url, "--request", file],
    ["explain", "--config", good, "--request", file, "--json"],
    ["explain", "--config", good, "--request", good],
    ["validate", "--config", wrong],
    ["validate", "--config", wrong, "--json"],
    ["validate", "--config", good]
  ]
  const printed: Array<string> = []
  for (const args of runs) {
    const ran = await routeLlm(args, { env })
    expect([args, ran.stdout + ran.stderr]).not.toEqual([args, ""])
    printed.push(outputs(ran))
  }
  return printed
}

it("lets no key, prompt or answer out by any door", () =>
  run(Effect.gen(function*() {
    const heard: Array<string> = []
    const router = yield* Effect.acquireRelease(
      Effect.sync(() => makeRouter((text) => heard.push(text))),
      (made) => Effect.promise(() => made.close())
    )
    const { url } = yield* serve(router.statusHandler)
    const folder = yield* Effect.acquireRelease(
      promised(() => mkdtemp(join(tmpdir(), "route-llm-"))),
      (path) => Effect.promise(() => rm(path, { recursive: true }))
    )
    const frames = readFrames(yield* promised(() => fetch(`${url}/events`)))
    yield* promised(() => frames.next())

    const said = yield* promised(() => used(router))
    const told = yield* promised(() =>
      frames.until(({ data, event }) => event === "RouteEnded" && JSON.stringify(data).includes("InvalidRequest"))
    )
    yield* promised(() => frames.cancel())
    const body = JSON.stringify(request("fine"))
    const shown = yield* promised(() =>
      Promise.all([
        served(`${url}/status`),
        served(`${url}/metrics`),
        served(`${url}/explain`, { method: "POST", body }),
        served(`${url}/explain`, { method: "POST", body: `{ ${prompt}` }),
        served(`${url}/explain`, { method: "POST", body: JSON.stringify({ messages: [{ role: prompt }], stop: 1 }) }),
        served(`${url}/explain?priority=${token}`),
        served(`${url}/${token}`)
      ])
    )
    const printed = yield* promised(() => typed(url, folder))

    // Every provider has had its say, so every door had something to let out.
    const events = told.map(({ data }) => JSON.stringify(data))
    expect([...new Set(heard.map((text) => JSON.parse(text).provider))]).toEqual(Object.keys(answers))
    expect(events.filter((text) => text.includes("\"RouteEvent\""))).toHaveLength(heard.length)
    expect(said.length).toBeGreaterThan(Object.keys(answers).length)
    const all = {
      heard,
      events,
      said,
      shown,
      printed,
      report: [JSON.stringify(yield* promised(() => router.report()))]
    }
    for (const [door, texts] of Object.entries(all)) {
      for (const text of texts) {
        for (const canary of planted) {
          if (text.includes(canary)) expect.fail(`${door} lets out "${canary}": ${text}`)
        }
      }
    }
  })), 120_000)
