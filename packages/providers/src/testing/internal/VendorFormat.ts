/**
 * The seam between the one server and the vendors' wire formats: a format knows paths, headers and bodies, and nothing
 * of limits, faults, time or sockets. One vendor is one file that implements `VendorFormat`.
 */
import { Either, ParseResult, Schema } from "effect"
import type { IncomingHttpHeaders } from "node:http"
import type { AnsweredFault } from "../Fault.ts"
import type { VendorClock } from "./VendorClock.ts"

/** What the path of a request says. */
export interface Route {
  /** Where the path and not the body names it. */
  readonly model?: string
  /** Where the path and not the body asks for a stream. */
  readonly stream?: boolean
}

/** One message, the system's instructions included, as far as counting and answering need it. */
export interface Message {
  readonly role: "system" | "user" | "assistant" | "tool"
  /** Calls and the answers of tools included: they count as text. */
  readonly text: string
  readonly images: number
}

export interface DeclaredTool {
  readonly name: string
  /** The declaration, as it counts. */
  readonly text: string
}

/** A declaration as the vendor's request has it: what stands in it counts as its JSON. */
export const declared = (name: string, declaration: unknown): DeclaredTool => ({
  name,
  text: JSON.stringify(declaration)
})

export interface Call {
  readonly model: string
  readonly messages: ReadonlyArray<Message>
  readonly tools: ReadonlyArray<DeclaredTool>
  readonly maxTokens: number | undefined
  readonly stream: boolean
  /** Whether usage is asked for in a stream, where that must be asked for. */
  readonly streamUsage?: boolean
}

export interface MadeCall {
  readonly name: string
  readonly args: Readonly<Record<string, unknown>>
}

export interface Reply {
  /** Empty only beside calls. */
  readonly text: string
  readonly calls: ReadonlyArray<MadeCall>
  readonly finish: "stop" | "length" | "tool_calls"
  readonly outputTokens: number
}

export interface Answer extends Reply {
  readonly id: string
  readonly model: string
  readonly unixSeconds: number
  readonly inputTokens: number
  readonly streamUsage?: boolean
}

/** One server-sent event; text is sent as it is, anything else as JSON. */
export interface StreamEvent {
  readonly event?: string
  readonly data: unknown
}

/** What is said before, in and after the content, and what says nothing at all, which clients must pass over. */
export interface StreamedAnswer {
  readonly start: ReadonlyArray<StreamEvent>
  readonly content: ReadonlyArray<{ readonly tokens: number; readonly event: StreamEvent }>
  readonly end: ReadonlyArray<StreamEvent>
  readonly idle: ReadonlyArray<StreamEvent>
}

/** The state of one limit, at the moment the headers are written. */
export interface LimitState {
  readonly limit: number
  readonly remaining: number
  /** Until the window is empty, in the vendor's time. */
  readonly resetMs: number
}

/** What can be limited. */
export type LimitName = "requests" | "tokens" | "inputTokens" | "outputTokens" | "requestsPerDay"

export interface RateState {
  /** Requests admitted since the start. */
  readonly admitted: number
  /** Those that there are. */
  readonly limits: { readonly [Name in LimitName]?: LimitState | undefined }
}

export interface RateLimitProblem {
  readonly kind: "rate_limit"
  readonly dimension: LimitName
  readonly limit: number
  readonly used: number
  /** More than `limit`: no wait will help. */
  readonly requested: number
  /** In the vendor's time; absent where the vendor names no wait. */
  readonly retryAfterMs: number | undefined
}

/** All that a format must be able to say in its error body. */
export type Problem =
  | RateLimitProblem
  | Exclude<AnsweredFault, { readonly kind: "rate_limit" | "server_error" | "bad_request" }>
  | { readonly kind: "server_error"; readonly status: number }
  | { readonly kind: "bad_request"; readonly message: string; readonly param?: string | undefined }
  | { readonly kind: "unknown_url"; readonly method: string; readonly path: string }

/** What OpenAI's and Groq's errors call a limit. */
export const limitWords: { readonly [Name in LimitName]: { readonly what: string; readonly short: string } } = {
  requests: { what: "requests", short: "RPM" },
  tokens: { what: "tokens", short: "TPM" },
  inputTokens: { what: "input tokens", short: "ITPM" },
  outputTokens: { what: "output tokens", short: "OTPM" },
  requestsPerDay: { what: "requests", short: "RPD" }
}

export interface ProblemContext {
  readonly id: string
  /** As requested; a stand-in where the request named none. */
  readonly model: string
  readonly clock: VendorClock
}

export interface ErrorReply {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: object
}

export interface VendorFormat {
  /** What the base URL of the vendor's SDK has after the origin. */
  readonly basePath: string
  /** What the path asks for; `undefined` if it is not the chat endpoint. */
  readonly route: (path: string) => Route | undefined
  readonly apiKey: (headers: IncomingHttpHeaders, query: URLSearchParams) => string | undefined
  readonly decode: (body: unknown, route: Route) => Either.Either<Call, Problem>
  readonly answer: (answer: Answer) => object
  readonly stream: (answer: Answer) => StreamedAnswer
  /** On every answer, errors included. */
  readonly headers: (
    rate: RateState,
    options: { readonly id: string; readonly clock: VendorClock }
  ) => Record<string, string>
  readonly error: (problem: Problem, context: ProblemContext) => ErrorReply
  /** How such an error is said once an answer has begun. */
  readonly errorEvent: (body: object) => StreamEvent
}

export const badRequest = (message: string, param?: string): Problem => ({ kind: "bad_request", message, param })

/**
 * A decoder that says what is wrong as a vendor's 400 does: the first issue, with its path; else what `misuse` finds in
 * a body of the right form.
 */
export const decoder = <A, I>(schema: Schema.Schema<A, I>, misuse: (body: A) => Problem | undefined) => {
  const decode = Schema.decodeUnknownEither(schema)
  return (body: unknown): Either.Either<A, Problem> =>
    Either.mapLeft(decode(body), (error) => {
      const issue = ParseResult.ArrayFormatter.formatErrorSync(error)[0]
      const param = issue?.path.map(String).join(".") ?? ""
      const message = `${param === "" ? "body" : param}: ${issue?.message ?? "invalid"}`
      return badRequest(message, param === "" ? undefined : param)
    }).pipe(Either.flatMap((decoded) => {
      const problem = misuse(decoded)
      return problem === undefined ? Either.right(decoded) : Either.left(problem)
    }))
}

/** A field that may be absent or null, as the vendors allow. */
export const maybe = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { nullable: true })

export const bearer = (headers: IncomingHttpHeaders): string | undefined =>
  headers.authorization?.startsWith("Bearer ") === true ? headers.authorization.slice("Bearer ".length) : undefined
