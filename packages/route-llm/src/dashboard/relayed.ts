/**
 * An app's `/events`, passed on. Whatever breaks there is told to the page as an event of the dashboard's own (`lost`),
 * and tried again each second, so that a page need not be opened anew because an app was.
 */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import type { HttpClientError } from "@effect/platform/HttpClientError"
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Data, Effect, Option, Schedule, Stream } from "effect"
import { reasonOf } from "../internal/reasonOf.ts"

export interface RelayOptions {
  /** The address of the app's `/events`. */
  readonly url: string
  /** How the page calls the app. */
  readonly name: string
  readonly headers?: Readonly<Record<string, string>> | undefined
}

class Lost extends Data.TaggedError("Lost")<{ readonly message: string }> {}

/** A status comes each second; an app that says nothing for so long is lost. */
const patience = "10 seconds"

/** No event is larger: a status is about 1 kB for each provider. */
const mostCharacters = 4_000_000

const noEvents = new Lost({ message: "The app sends what is no stream of events." })

/** A line that does not end is given up before it is long, so that nothing is kept of it without a bound. */
const bounded = (pieces: Stream.Stream<string, Lost>): Stream.Stream<string, Lost> =>
  Stream.mapAccumEffect(pieces, 0, (length, piece) => {
    const since = piece.lastIndexOf("\n")
    const now = since < 0 ? length + piece.length : piece.length - since - 1
    return now > mostCharacters ? noEvents : Effect.succeed([now, piece] as const)
  })

/** Lines put together to whole events, so that one that is cut off never reaches a page. */
const whole = (lines: Stream.Stream<string, Lost>): Stream.Stream<string, Lost> =>
  lines.pipe(
    Stream.mapAccumEffect("", (event, line) => {
      if (event.length > mostCharacters) return noEvents
      return Effect.succeed<readonly [string, Option.Option<string>]>(
        line === "" ? ["", Option.some(`${event}\n`)] : [`${event}${line}\n`, Option.none()]
      )
    }),
    Stream.filterMap((event) => event)
  )

const connect = (client: HttpClient.HttpClient, { headers = {}, name, url }: RelayOptions) => {
  const lost = (error: HttpClientError) => new Lost({ message: `${name} does not answer (${reasonOf(error.cause)}).` })
  const lines = client.get(url, { headers, accept: "text/event-stream" }).pipe(
    Effect.mapError(lost),
    Effect.timeoutFail({ duration: patience, onTimeout: () => new Lost({ message: `${name} does not answer.` }) }),
    Effect.flatMap((response) => {
      if (response.status !== 200) return new Lost({ message: `${name} answers ${response.status}.` })
      return response.headers["content-type"]?.startsWith("text/event-stream") === true
        ? Effect.succeed(Stream.mapError(response.stream, lost))
        : new Lost({ message: `${name} answers with something else than events.` })
    }),
    Stream.unwrap,
    Stream.timeoutFail(() => new Lost({ message: `${name} has fallen silent.` }), patience),
    Stream.decodeText(),
    bounded,
    Stream.splitLines
  )
  return Stream.concat(whole(lines), Stream.fail(new Lost({ message: `${name} has ended its stream.` })))
}

const lostEvent = ({ message }: Lost): string => `event: lost\ndata: ${JSON.stringify({ message })}\n\n`

/** Whole events as text; ends only with its reader. */
export const relayedEvents = (options: RelayOptions): Stream.Stream<string> =>
  Stream.unwrap(Effect.map(HttpClient.HttpClient, (client) =>
    connect(client, options).pipe(
      Stream.catchAll((lost) => Stream.make(lostEvent(lost))),
      Stream.repeat(Schedule.spaced("1 second"))
    ))).pipe(Stream.provideLayer(FetchHttpClient.layer))

/** The path `/events`; each page that is open is a reader of its own at the app. */
export const relayed = (options: RelayOptions): HttpRouter.HttpRouter =>
  HttpRouter.empty.pipe(
    HttpRouter.get(
      "/events",
      Effect.sync(() =>
        HttpServerResponse.stream(Stream.encodeText(relayedEvents(options)), {
          contentType: "text/event-stream; charset=utf-8"
        })
      )
    )
  )
