import { FileSystem } from "@effect/platform/FileSystem"
import type { ChatRequest } from "@route-llm/core"
import { Console, Effect, Option } from "effect"
import { text as readText } from "node:stream/consumers"
import { explanationLines } from "./explanationView.ts"
import { AnswerIsNo, Failed, Misused } from "./outcomes.ts"
import { hasColors } from "./plainConsole.ts"
import type { Source } from "./Source.ts"
import { paintWith, printableJson } from "./terminal/style.ts"

interface Asked {
  readonly request: Option.Option<string>
  readonly input: Option.Option<number>
  readonly maxTokens: Option.Option<number>
  readonly priority: Option.Option<"high" | "normal" | "low">
  readonly session: Option.Option<string>
  readonly provider: Option.Option<string>
  readonly json: boolean
}

/** Tokens of input where nothing says how many. */
const usualInput = 1_000

const standardInput = Effect.tryPromise({
  try: () => readText(process.stdin),
  catch: () => new Failed({ message: "The standard input could not be read." })
})

const fileText = (path: string) =>
  Effect.flatMap(FileSystem, (files) => files.readFileString(path)).pipe(
    Effect.mapError(() => new Failed({ message: `${path} could not be read.` }))
  )

/** The router says what is wrong with a request that is none, by path and without its content. */
const parsed = (path: string, text: string) =>
  Effect.try({
    try: () => JSON.parse(text) as ChatRequest,
    // The parser's own message quotes the text.
    catch: () => new Failed({ message: `${path === "-" ? "The standard input" : path} is no JSON.` })
  })

const requestAt = (path: string) =>
  Effect.flatMap(path === "-" ? standardInput : fileText(path), (text) => parsed(path, text))

/** A field, where the option is given. */
const given = <Name extends string, A>(name: Name, option: Option.Option<A>): { readonly [_ in Name]?: A } =>
  Option.match(option, { onNone: () => ({}), onSome: (value) => ({ [name]: value }) as { readonly [_ in Name]: A } })

/** Prints where the request would go; fails with `AnswerIsNo` where no provider may take it now. */
export const run = <E, R>(open: Effect.Effect<Source, E, R>, asked: Asked) =>
  Effect.gen(function*() {
    if (Option.exists(asked.input, (tokens) => tokens < 0)) {
      return yield* new Misused({ message: "--input takes a number of tokens ≥ 0." })
    }
    const request = Option.isNone(asked.request) ? undefined : yield* requestAt(asked.request.value)
    const source = yield* open
    const explanation = yield* source.explain({
      request,
      asked: {
        ...given("maxTokens", asked.maxTokens),
        ...given("priority", asked.priority),
        ...given("sessionId", asked.session),
        ...given("forceProvider", asked.provider)
      },
      inputTokens: Option.getOrElse(asked.input, () => request === undefined ? usualInput : undefined)
    })
    const { columns, isTTY } = process.stdout
    const view = { width: isTTY === true ? columns : Infinity, paint: paintWith(hasColors(process.stdout)) }
    yield* Console.log(
      asked.json ? printableJson(explanation, 2) : explanationLines(explanation, view).join("\n")
    )
    if (explanation.chosen === undefined) return yield* new AnswerIsNo()
  })
