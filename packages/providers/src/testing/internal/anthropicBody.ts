/**
 * What `POST /v1/messages` takes. Fields are those of `@anthropic-ai/sdk` 1.12; the rules for tools are those the API's
 * 400s state.
 */
import { Either, Schema } from "effect"
import { type ToolTurn, unpaired } from "./toolTurns.ts"
import { badRequest, declared, decoder, maybe } from "./VendorFormat.ts"
import type { Call, Message, Problem } from "./VendorFormat.ts"

const TextBlock = Schema.Struct({ type: Schema.Literal("text"), text: Schema.NonEmptyString })

const ImageBlock = Schema.Struct({
  type: Schema.Literal("image"),
  source: Schema.Union(
    Schema.Struct({
      type: Schema.Literal("base64"),
      media_type: Schema.Literal("image/jpeg", "image/png", "image/gif", "image/webp"),
      data: Schema.NonEmptyString
    }),
    Schema.Struct({ type: Schema.Literal("url"), url: Schema.NonEmptyString })
  )
})

const Name = Schema.String.pipe(Schema.pattern(/^[\w-]{1,128}$/))

const ToolUseBlock = Schema.Struct({
  type: Schema.Literal("tool_use"),
  id: Name,
  name: Name,
  input: Schema.Record({ key: Schema.String, value: Schema.Unknown })
})

const ToolResultBlock = Schema.Struct({
  type: Schema.Literal("tool_result"),
  tool_use_id: Name,
  content: maybe(Schema.Union(Schema.String, Schema.Array(Schema.Union(TextBlock, ImageBlock))))
})

const Block = Schema.Union(TextBlock, ImageBlock, ToolUseBlock, ToolResultBlock)

const Content = Schema.Union(Schema.NonEmptyString, Schema.NonEmptyArray(Block))

const Body = Schema.Struct({
  model: Schema.NonEmptyString,
  max_tokens: Schema.Int.pipe(Schema.positive()),
  system: Schema.optional(Schema.Union(Schema.String, Schema.Array(TextBlock))),
  messages: Schema.NonEmptyArray(Schema.Struct({ role: Schema.Literal("user", "assistant"), content: Content })),
  temperature: Schema.optional(Schema.Number.pipe(Schema.between(0, 1))),
  top_p: Schema.optional(Schema.Number.pipe(Schema.between(0, 1))),
  stop_sequences: maybe(Schema.Array(Schema.NonEmptyString)),
  stream: maybe(Schema.Boolean),
  tools: Schema.optional(Schema.Array(Schema.Struct({
    name: Name,
    description: maybe(Schema.String),
    input_schema: Schema.Struct({ type: Schema.Literal("object") }, { key: Schema.String, value: Schema.Unknown })
  }))),
  tool_choice: Schema.optional(Schema.Union(
    Schema.Struct({ type: Schema.Literal("auto", "any", "none") }),
    Schema.Struct({ type: Schema.Literal("tool"), name: Name })
  ))
})

type Sent = typeof Body.Type["messages"][number]

const blocksOf = (content: typeof Content.Type): ReadonlyArray<typeof Block.Type> =>
  typeof content === "string" ? [{ type: "text", text: content }] : content

const textOf = (block: typeof Block.Type): string => {
  switch (block.type) {
    case "text":
      return block.text
    case "tool_use":
      return block.name + JSON.stringify(block.input)
    case "tool_result":
      return typeof block.content === "string" ? block.content : JSON.stringify(block.content ?? "")
    case "image":
      return ""
  }
}

const messageOf = (role: Message["role"], content: typeof Content.Type): Message => {
  const blocks = blocksOf(content)
  const isTools = blocks.every((block) => block.type === "tool_result")
  return {
    role: isTools ? "tool" : role,
    text: blocks.map(textOf).join(""),
    images: blocks.filter(({ type }) => type === "image").length
  }
}

/** Messages of one role in a row are one turn to the API. */
const turnsOf = (messages: ReadonlyArray<Sent>): ReadonlyArray<ToolTurn> =>
  messages.reduce<ReadonlyArray<ToolTurn & { readonly role: Sent["role"] }>>((turns, { content, role }) => {
    const blocks = blocksOf(content)
    const calls = blocks.flatMap((block) => block.type === "tool_use" ? [block.id] : [])
    const answers = blocks.flatMap((block) => block.type === "tool_result" ? [block.tool_use_id] : [])
    const last = turns.at(-1)
    return last?.role === role
      ? [...turns.slice(0, -1), { role, calls: [...last.calls, ...calls], answers: [...last.answers, ...answers] }]
      : [...turns, { role, calls, answers }]
  }, [])

const misuse = (body: typeof Body.Type): Problem | undefined => {
  const turns = turnsOf(body.messages)
  const calls = turns.flatMap((turn) => turn.calls)
  if (body.tool_choice !== undefined && (body.tools ?? []).length === 0) {
    return badRequest("tool_choice may only be specified while providing tools.")
  }
  if (calls.length > 0 && (body.tools ?? []).length === 0) {
    return badRequest("Requests which include `tool_use` or `tool_result` blocks must define tools.")
  }
  if (new Set(calls).size < calls.length) return badRequest("messages: `tool_use` ids must be unique")
  const wrong = unpaired(turns)
  if (wrong === undefined) return undefined
  return wrong.called.length === 0
    ? badRequest(
      `messages.${wrong.index}: unexpected \`tool_use_id\` found in \`tool_result\` blocks. Each \`tool_result\` block `
        + "must have a corresponding `tool_use` block in the previous message."
    )
    : badRequest(
      `messages.${wrong.index - 1}: \`tool_use\` ids were found without \`tool_result\` blocks immediately after: `
        + `${wrong.called.join(", ")}.`
    )
}

const decodeBody = decoder(Body, misuse)

export const decodeMessages = (body: unknown): Either.Either<Call, Problem> =>
  Either.map(decodeBody(body), (call) => ({
    model: call.model,
    messages: [
      ...(call.system === undefined || call.system.length === 0
        ? []
        : [{ role: "system" as const, text: systemText(call.system), images: 0 }]),
      ...call.messages.map(({ content, role }) => messageOf(role, content))
    ],
    tools: (call.tools ?? []).map((tool) => declared(tool.name, tool)),
    maxTokens: call.max_tokens,
    stream: call.stream ?? false
  }))

const systemText = (system: NonNullable<typeof Body.Type["system"]>): string =>
  typeof system === "string" ? system : system.map(({ text }) => text).join("")
