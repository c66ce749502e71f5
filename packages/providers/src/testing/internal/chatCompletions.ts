/**
 * The chat completions format, which OpenAI made and Groq took over: the request and the answer. Fields are those of
 * `openai` 6.49 and `groq-sdk` 1.6.
 */
import { Either, Schema } from "effect"
import { type ToolTurn, unpaired } from "./toolTurns.ts"
import { badRequest, declared, decoder, maybe } from "./VendorFormat.ts"
import type { Answer, Call, LimitState, Message, Problem } from "./VendorFormat.ts"

const TextPart = Schema.Struct({ type: Schema.Literal("text"), text: Schema.String })

const ImagePart = Schema.Struct({
  type: Schema.Literal("image_url"),
  image_url: Schema.Struct({ url: Schema.NonEmptyString })
})

const Content = Schema.Union(Schema.String, Schema.NonEmptyArray(Schema.Union(TextPart, ImagePart)))

const Id = Schema.NonEmptyString.pipe(Schema.maxLength(40))

const ToolCall = Schema.Struct({
  id: Id,
  type: Schema.Literal("function"),
  function: Schema.Struct({ name: Schema.NonEmptyString, arguments: Schema.String })
})

const Body = Schema.Struct({
  model: Schema.NonEmptyString,
  messages: Schema.NonEmptyArray(Schema.Struct({
    role: Schema.Literal("system", "developer", "user", "assistant", "tool"),
    content: maybe(Content),
    tool_calls: maybe(Schema.Array(ToolCall).pipe(Schema.minItems(1))),
    tool_call_id: maybe(Id)
  })),
  max_tokens: maybe(Schema.Int.pipe(Schema.positive())),
  max_completion_tokens: maybe(Schema.Int.pipe(Schema.positive())),
  temperature: maybe(Schema.Number.pipe(Schema.between(0, 2))),
  top_p: maybe(Schema.Number.pipe(Schema.between(0, 1))),
  stop: maybe(Schema.Union(Schema.String, Schema.Array(Schema.String).pipe(Schema.maxItems(4)))),
  stream: maybe(Schema.Boolean),
  stream_options: maybe(Schema.Struct({ include_usage: maybe(Schema.Boolean) })),
  tools: maybe(Schema.NonEmptyArray(Schema.Struct({
    type: Schema.Literal("function"),
    function: Schema.Struct({
      name: Schema.NonEmptyString,
      description: maybe(Schema.String),
      parameters: maybe(Schema.Object)
    })
  }))),
  tool_choice: maybe(Schema.Union(
    Schema.Literal("none", "auto", "required"),
    Schema.Struct({ type: Schema.Literal("function"), function: Schema.Struct({ name: Schema.NonEmptyString }) })
  ))
})

type Sent = typeof Body.Type["messages"][number]

const roles: { readonly [R in Sent["role"]]: Message["role"] } = {
  system: "system",
  developer: "system",
  user: "user",
  assistant: "assistant",
  tool: "tool"
}

const messageOf = ({ content = "", role, tool_calls: calls = [] }: Sent): Message => {
  const parts = typeof content === "string" ? [{ type: "text" as const, text: content }] : content
  const texts = parts.flatMap((part) => part.type === "text" ? [part.text] : [])
  const called = calls.map((call) => call.function.name + call.function.arguments)
  return { role: roles[role], text: [...texts, ...called].join(""), images: parts.length - texts.length }
}

/** Every message but a tool's is a turn; a turn of tools' answers is as many messages as there are answers. */
const turnsOf = (messages: ReadonlyArray<Sent>): ReadonlyArray<ToolTurn> =>
  messages.reduce<ReadonlyArray<ToolTurn>>((turns, { role, tool_call_id: id = "", tool_calls: calls = [] }) => {
    if (role !== "tool") return [...turns, { calls: calls.map((call) => call.id), answers: [] }]
    const last = turns.at(-1)
    return last !== undefined && last.answers.length > 0
      ? [...turns.slice(0, -1), { calls: [], answers: [...last.answers, id] }]
      : [...turns, { calls: [], answers: [id] }]
  }, [])

const misuse = (body: typeof Body.Type): Problem | undefined => {
  if (body.stream_options !== undefined && body.stream !== true) {
    return badRequest("The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options")
  }
  if (body.tool_choice !== undefined && body.tools === undefined) {
    return badRequest("'tool_choice' is only allowed when 'tools' are specified.", "tool_choice")
  }
  const wrong = unpaired(turnsOf(body.messages))
  if (wrong === undefined) return undefined
  return wrong.called.length === 0
    ? badRequest("messages with role 'tool' must be a response to a preceding message with 'tool_calls'.", "messages")
    : badRequest(
      "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
        + `The following tool_call_ids did not have response messages: ${wrong.called.join(", ")}`,
      "messages"
    )
}

const decodeBody = decoder(Body, misuse)

export const decodeChatCompletion = (body: unknown): Either.Either<Call, Problem> =>
  Either.map(decodeBody(body), (call) => ({
    model: call.model,
    messages: call.messages.map(messageOf),
    tools: (call.tools ?? []).map((tool) => declared(tool.function.name, tool.function)),
    maxTokens: call.max_completion_tokens ?? call.max_tokens,
    stream: call.stream ?? false,
    streamUsage: call.stream_options?.include_usage ?? false
  }))

export const chatCompletion = (answer: Answer) => ({
  id: `chatcmpl-${answer.id}`,
  object: "chat.completion",
  created: answer.unixSeconds,
  model: answer.model,
  choices: [{
    index: 0,
    message: {
      role: "assistant",
      content: answer.text === "" ? null : answer.text,
      refusal: null,
      ...(answer.calls.length === 0 ? {} : {
        tool_calls: answer.calls.map(({ args, name }, index) => ({
          id: `call_${answer.id}_${index}`,
          type: "function",
          function: { name, arguments: JSON.stringify(args) }
        }))
      })
    },
    logprobs: null,
    finish_reason: answer.finish
  }],
  usage: {
    prompt_tokens: answer.inputTokens,
    completion_tokens: answer.outputTokens,
    total_tokens: answer.inputTokens + answer.outputTokens
  }
})

/** `x-ratelimit-{limit,remaining,reset}-<dimension>`, which both vendors send. */
export const rateHeaders = (
  dimension: "requests" | "tokens",
  state: LimitState | undefined,
  reset: (ms: number) => string
): Record<string, string> =>
  state === undefined ? {} : {
    [`x-ratelimit-limit-${dimension}`]: String(state.limit),
    [`x-ratelimit-remaining-${dimension}`]: String(state.remaining),
    [`x-ratelimit-reset-${dimension}`]: reset(state.resetMs)
  }
