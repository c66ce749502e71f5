import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import type { HttpClientError } from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { Explanation, StatusReport } from "@route-llm/core"
import { Config, Effect, identity, Option, type ParseResult, Redacted, Schema } from "effect"
import { reasonOf } from "../internal/reasonOf.ts"
import { Failed, Misused } from "./outcomes.ts"
import type { Source } from "./Source.ts"

/** The longest that an application may take to answer. */
const patience = "10 seconds"

/** Its last part may be one of the paths that are served. */
const parse = (text: string): Option.Option<URL> => {
  const written = /^https?:\/\//i.test(text) ? text : `http://${text}`
  if (!URL.canParse(written)) return Option.none()
  const url = new URL(written)
  url.pathname = url.pathname.replace(/\/(status|events|explain|metrics)?\/*$/, "")
  return Option.some(url)
}

const at = (base: URL, path: string): string => {
  const url = new URL(base)
  url.pathname += `${url.pathname.endsWith("/") ? "" : "/"}${path}`
  return url.href
}

const answers: { readonly [status: number]: string } = {
  401: "set ROUTE_LLM_TOKEN to the bearer token that it wants",
  403: "set ROUTE_LLM_TOKEN to the bearer token that it wants",
  404: "it has nothing there: name the path at which the application serves `statusHandler`"
}

const ErrorBody = Schema.Struct({ error: Schema.Struct({ message: Schema.String }) })

/** The words of this library's own errors, which are ours to print; of anything else only the status. */
const refused = (name: string, response: HttpClientResponse.HttpClientResponse) =>
  HttpClientResponse.schemaBodyJson(ErrorBody)(response).pipe(
    Effect.map(({ error }) => error.message),
    Effect.orElseSucceed(() => answers[response.status] ?? "look at the application's log"),
    Effect.flatMap((words) => new Failed({ message: `${name} answered ${response.status}: ${words}` }))
  )

const unreachable = (name: string, error: HttpClientError): Failed =>
  new Failed({
    message: `${name} did not answer (${reasonOf(error.cause)}). Is the application running, and does it serve `
      + "`statusHandler` there?"
  })

const unreadable = (name: string, what: string): Failed =>
  new Failed({ message: `${name} answered with something else than this version reads: ${what}` })

/** A value is quoted there, of whatever length. */
const problemIn = ({ message }: ParseResult.ParseError): string =>
  message.split("\n").at(-1)?.trim().slice(0, 200) ?? "another form"

const unanswered = (name: string, error: HttpClientError): Failed =>
  error.cause instanceof SyntaxError
    ? unreadable(name, "it is no JSON. Does the application serve `statusHandler` there?")
    : unreachable(name, error)

/** Space around it does not count; a blank one counts as unset. It goes into a header, whose faults would quote it. */
const tokenSet = Effect.gen(function*() {
  const set = yield* Effect.orElseSucceed(Config.string("ROUTE_LLM_TOKEN"), () => "")
  const token = set.trim()
  if (token === "") return Option.none()
  if (/^[\x21-\x7e]+$/.test(token)) return Option.some(Redacted.make(token))
  return yield* new Misused({
    message: "ROUTE_LLM_TOKEN is no bearer token: it takes visible ASCII signs, and no space."
  })
})

/** An application's router, over HTTP. */
export const openRemote = (text: string) =>
  Effect.gen(function*() {
    const base = yield* Option.match(parse(text), {
      onNone: () => new Misused({ message: "--url takes an address such as http://localhost:3000/llm." }),
      onSome: Effect.succeed
    })
    if (base.username !== "" || base.password !== "") {
      return yield* new Misused({ message: "--url takes no user and password: set ROUTE_LLM_TOKEN instead." })
    }
    const token = yield* tokenSet
    const client = yield* HttpClient.HttpClient
    const authorized = Option.match(token, {
      onNone: () => identity<HttpClientRequest.HttpClientRequest>,
      onSome: (value) => HttpClientRequest.bearerToken(Redacted.value(value))
    })
    const name = `${base.origin}${base.pathname === "/" ? "" : base.pathname}`

    const ask = <A, I>(request: HttpClientRequest.HttpClientRequest, schema: Schema.Schema<A, I>) =>
      client.execute(authorized(HttpClientRequest.acceptJson(request))).pipe(
        Effect.filterOrElse(({ status }) => status === 200, (response) => refused(name, response)),
        Effect.flatMap(HttpClientResponse.schemaBodyJson(schema)),
        Effect.timeoutFail({
          duration: patience,
          onTimeout: () => new Failed({ message: `${name} did not answer within ${patience}.` })
        }),
        Effect.catchTags({
          RequestError: (error) => Effect.fail(unanswered(name, error)),
          ResponseError: (error) => Effect.fail(unanswered(name, error)),
          ParseError: (error) => Effect.fail(unreadable(name, problemIn(error)))
        })
      )

    const source: Source = {
      name,
      report: ask(HttpClientRequest.get(at(base, "status")), StatusReport),
      explain: ({ asked, inputTokens: input, request }) => {
        const address = at(base, "explain")
        const asGet = HttpClientRequest.get(address, { urlParams: { input, ...asked } })
        const asPost = HttpClientRequest.post(address, { urlParams: { input } })
        return ask(
          request === undefined ? asGet : HttpClientRequest.bodyUnsafeJson(asPost, { ...request, ...asked }),
          Explanation
        )
      },
      routes: Effect.map(Effect.promise(() => import("../dashboard/relayed.ts")), ({ relayed }) =>
        relayed({
          url: at(base, "events"),
          name,
          headers: Option.match(token, {
            onNone: () => ({}),
            onSome: (value) => ({ authorization: `Bearer ${Redacted.value(value)}` })
          })
        }))
    }
    return source
  }).pipe(Effect.provide(FetchHttpClient.layer))
