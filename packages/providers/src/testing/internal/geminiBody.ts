/**
 * What `POST /v1beta/models/{model}:generateContent` takes. Fields are those of `@google/genai` 2.32; the rules for
 * tools are those the API's 400s state.
 */
import { Either, Schema } from "effect"
import { type ToolTurn, unpaired } from "./toolTurns.ts"
import { badRequest, declared, decoder, maybe } from "./VendorFormat.ts"
import type { Call, Message, Problem, Route } from "./VendorFormat.ts"

const Values = Schema.Record({ key: Schema.String, value: Schema.Unknown })

const Part = Schema.Struct({
  text: maybe(Schema.String),
  inlineData: maybe(Schema.Struct({ mimeType: Schema.NonEmptyString, data: Schema.NonEmptyString })),
  fileData: maybe(Schema.Struct({ mimeType: maybe(Schema.String), fileUri: Schema.NonEmptyString })),
  functionCall: maybe(Schema.Struct({ name: Schema.NonEmptyString, args: maybe(Values) })),
  functionResponse: maybe(Schema.Struct({ name: Schema.NonEmptyString, response: Values })),
  thoughtSignature: maybe(Schema.NonEmptyString)
}).pipe(Schema.filter(({ thoughtSignature: _, ...data }) => Object.values(data).length === 1, {
  message: () => "must have exactly one initialized field in oneof data"
}))

const Content = Schema.Struct({ role: maybe(Schema.Literal("user", "model")), parts: Schema.NonEmptyArray(Part) })

const FunctionDeclaration = Schema.Struct({
  name: Schema.String.pipe(Schema.pattern(/^[A-Za-z_][\w.:-]{0,127}$/)),
  description: maybe(Schema.String),
  parametersJsonSchema: maybe(Values)
})

const Body = Schema.Struct({
  contents: Schema.NonEmptyArray(Content),
  systemInstruction: maybe(Schema.Struct({ parts: Schema.NonEmptyArray(Part) })),
  tools: maybe(Schema.Array(Schema.Struct({ functionDeclarations: maybe(Schema.Array(FunctionDeclaration)) }))),
  toolConfig: maybe(Schema.Struct({
    functionCallingConfig: maybe(Schema.Struct({
      mode: Schema.Literal("AUTO", "ANY", "NONE"),
      allowedFunctionNames: maybe(Schema.Array(Schema.String))
    }))
  })),
  generationConfig: maybe(Schema.Struct({
    maxOutputTokens: maybe(Schema.Int.pipe(Schema.positive())),
    temperature: maybe(Schema.Number.pipe(Schema.between(0, 2))),
    topP: maybe(Schema.Number.pipe(Schema.between(0, 1))),
    stopSequences: maybe(Schema.Array(Schema.String).pipe(Schema.maxItems(5)))
  }))
})

type Sent = typeof Content.Type

const textOf = ({ functionCall, functionResponse, text = "" }: Sent["parts"][number]): string => {
  if (functionCall !== undefined) return functionCall.name + JSON.stringify(functionCall.args ?? {})
  return functionResponse === undefined ? text : JSON.stringify(functionResponse.response)
}

const messageOf = (role: Message["role"], parts: Sent["parts"]): Message => ({
  role: parts.every((part) => part.functionResponse !== undefined) ? "tool" : role,
  text: parts.map(textOf).join(""),
  images: parts.filter((part) => part.inlineData !== undefined || part.fileData !== undefined).length
})

const turnOf = ({ parts }: Sent): ToolTurn => ({
  calls: parts.flatMap(({ functionCall }) => functionCall === undefined ? [] : [functionCall.name]),
  answers: parts.flatMap(({ functionResponse }) => functionResponse === undefined ? [] : [functionResponse.name])
})

/** Gemini 3 and later; of parallel calls only the first is signed. */
const unsigned = (model: string, contents: ReadonlyArray<Sent>): Sent["parts"][number] | undefined =>
  /gemini-([3-9]|\w+-latest)/.test(model)
    ? contents.flatMap(({ parts }) => parts.find(({ functionCall }) => functionCall !== undefined) ?? [])
      .find(({ thoughtSignature }) => thoughtSignature === undefined)
    : undefined

const misuse = (model: string) => (body: typeof Body.Type): Problem | undefined => {
  if (unpaired(body.contents.map(turnOf)) !== undefined) {
    return badRequest(
      "Please ensure that the number of function response parts is equal to the number of function call parts of the "
        + "function call turn."
    )
  }
  return unsigned(model, body.contents) === undefined
    ? undefined
    : badRequest("Function call is missing a thought_signature in functionCall parts.")
}

export const decodeGenerateContent = (body: unknown, { model = "", stream = false }: Route) =>
  Either.map(decoder(Body, misuse(model))(body), (call): Call => ({
    model,
    messages: [
      ...(call.systemInstruction === undefined ? [] : [messageOf("system", call.systemInstruction.parts)]),
      ...call.contents.map(({ parts, role }) => messageOf(role === "model" ? "assistant" : "user", parts))
    ],
    tools: (call.tools ?? []).flatMap(({ functionDeclarations = [] }) =>
      functionDeclarations.map((declaration) => declared(declaration.name, declaration))
    ),
    maxTokens: call.generationConfig?.maxOutputTokens,
    stream
  }))
