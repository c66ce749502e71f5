/**
 * A vendor's chat endpoint on this machine: a server on 127.0.0.1 that speaks the wire format of OpenAI, Anthropic,
 * Gemini or Groq, so the official SDK talks to it by base URL alone. It has what makes a vendor hard to live with:
 * rate limits over an exact rolling window, latency with a tail, rate-limit headers, every kind of failure on demand.
 *
 * For tests, benchmarks and demonstrations of what calls vendors; not a model.
 *
 * ```ts
 * import { LoopbackVendor } from "@route-llm/providers/testing"
 * import { Effect } from "effect"
 * import OpenAI from "openai"
 *
 * const program = Effect.gen(function*() {
 *   const vendor = yield* LoopbackVendor.make({ vendor: "openai", requestLimit: 2, speed: 60 })
 *   const client = new OpenAI({ apiKey: "any", baseURL: vendor.url, maxRetries: 0 })
 *   yield* vendor.fail({ kind: "server_error", status: 503 })
 *   const chat = Effect.tryPromise(() =>
 *     client.chat.completions.create({ model: "gpt-4o", messages: [{ role: "user", content: "[answer with 5 tokens]" }] })
 *   )
 *   yield* Effect.ignore(chat)                // met the 503
 *   const answer = yield* chat                // served
 *   return [answer.choices[0]?.message.content, yield* vendor.counts]
 * })
 *
 * Effect.runPromise(Effect.scoped(program)).then(console.log)
 * ```
 *
 * **What counts.** Input: one token for each 4 UTF-16 units of a message's text, calls and their answers included, and
 * of a tool's declaration, rounded up; 4 more for each message (system instructions are one), 85 for each image.
 * Output: as many tokens as the last user message asks for with `[answer with 120 tokens]`, or the text of
 * `[say "Roses are red"]`, else drawn around 200; never more than the request's maximum, and then the finish reason says
 * so. One token of output is one word. The usage in the answer is exactly what was counted.
 *
 * **Tools.** Where the last user message says `[call tool get_weather {"city": "Oslo"}]`, once or several times, and
 * the request declares that tool, the answer is these calls, without text unless tokens are asked for as well; after a
 * tool's answer it is text again. Four characters of a call are one token. A conversation in which calls and their
 * answers do not belong together is refused, as the vendors refuse it.
 *
 * **Streams.** A request for a stream is answered word by word in the vendor's own events, and breaks where a
 * `StreamFault` says; usage is told as the vendor does, by OpenAI only where it is asked for.
 *
 * **Limits.** A request is refused if, with it, any window would hold more than the limit. An admitted one counts as a
 * request and with its input on arrival, and with its output when it is answered (see `counting`); one whose client
 * leaves before keeps what it counted on arrival, and of a stream what had been written. Refused and faulty ones count nothing. An amount leaves the window
 * once it is older than it. Output may overshoot a limit, since it is not known before: there must be room for a token.
 *
 * **Time.** The vendor's clock runs `speed` times as fast as the wall's: windows, latencies and what is sent to the
 * client (Retry-After, resets) shrink alike, so an hour of traffic takes a minute at speed 60, for a client whose own
 * windows are scaled alike too. Durations in options, faults and records are the vendor's time.
 *
 * **Elsewhere.** Options, faults, counts and records are plain data that survive `structuredClone` (with `window` as a
 * number or text), so a vendor can live in a worker or another process and be driven by messages.
 *
 * It stands on `node:http` rather than on a portable server, because faults need the raw socket.
 *
 * @since 0.1.0
 */
import { Duration, Effect, type Scope } from "effect"
import { createServer } from "node:http"
import type { Server } from "node:http"
import type { Fault } from "./Fault.ts"
import { Admission } from "./internal/Admission.ts"
import { anthropicFormat } from "./internal/anthropicFormat.ts"
import { makeDraws } from "./internal/draws.ts"
import { Exchange } from "./internal/Exchange.ts"
import { geminiFormat } from "./internal/geminiFormat.ts"
import { groqFormat } from "./internal/groqFormat.ts"
import { openAiFormat } from "./internal/openAiFormat.ts"
import { VendorClock } from "./internal/VendorClock.ts"
import type { VendorFormat } from "./internal/VendorFormat.ts"
import { VendorState } from "./internal/VendorState.ts"
import { defaultLatency } from "./LatencyModel.ts"
import type { LatencyModel } from "./LatencyModel.ts"
import type { AdmittedRequest, Counts, RecordedRequest } from "./Observed.ts"

/**
 * @since 0.1.0
 */
export type VendorName = keyof typeof defaultLatency

/**
 * - `vendor`: whose format it speaks.
 * - `requestLimit`, `tokenLimit`: a window; default none. 0 refuses everything.
 * - `inputTokenLimit`, `outputTokenLimit`: a window, each apart; default none. Anthropic shows them in its headers.
 * - `requestsPerDay`: any 24 hours; default none. Groq shows it in its headers (and, without one, a figure that is not
 *   enforced).
 * - `window`: default 60 s.
 * - `counting`: when the answer's tokens count. `"completion"` (default): when it is answered. `"max_tokens_on_arrival"`:
 *   the request's maximum counts on arrival and is not corrected, as OpenAI does; a request without one counts at
 *   completion.
 * - `headersShow`: what remains at `"completion"` (default), the answer's own tokens taken off, or at `"arrival"`, when
 *   a limiter that stands before the model has let the request through.
 * - `latency`: default `defaultLatency[vendor]`; `noLatency` answers at once.
 * - `speed`: > 0, default 1; how much faster than the wall's the vendor's clock runs.
 * - `seed`: default 0; the n-th request that is not refused for its form or by a fault draws the same length and
 *   latency in every run.
 * - `apiKey`: any other is refused; absent, every key is accepted, also none.
 * - `models`: any other is unknown; absent, every name is a model.
 * - `keepRequests`: how many of the newest requests `requests` holds, default 100.
 * - `keepAdmissions`: how many of the newest admissions `admissions` holds, default 1000.
 *
 * @since 0.1.0
 */
export interface LoopbackVendorOptions {
  readonly vendor: VendorName
  readonly requestLimit?: number | undefined
  readonly tokenLimit?: number | undefined
  readonly inputTokenLimit?: number | undefined
  readonly outputTokenLimit?: number | undefined
  readonly requestsPerDay?: number | undefined
  readonly window?: Duration.DurationInput | undefined
  readonly counting?: "completion" | "max_tokens_on_arrival" | undefined
  readonly headersShow?: "arrival" | "completion" | undefined
  readonly latency?: LatencyModel | undefined
  readonly speed?: number | undefined
  readonly seed?: number | undefined
  readonly apiKey?: string | undefined
  readonly models?: ReadonlyArray<string> | undefined
  readonly keepRequests?: number | undefined
  readonly keepAdmissions?: number | undefined
}

/**
 * @since 0.1.0
 */
export interface LoopbackVendor {
  readonly vendor: VendorName
  /**
   * What the SDK takes for its base URL: `baseURL` of `OpenAI` (ends in `/v1`), `Anthropic` and `Groq`,
   * `httpOptions.baseUrl` of `GoogleGenAI`.
   */
  readonly url: string
  /** The next `times` requests (default 1) meet this fault, after those scripted before. */
  readonly fail: (fault: Fault, options?: { readonly times?: number }) => Effect.Effect<void>
  /** Every request meets this fault until it is set to `undefined`. Scripted ones go first. */
  readonly setFault: (fault: Fault | undefined) => Effect.Effect<void>
  readonly counts: Effect.Effect<Counts>
  /** Waits, without polling, for counts that meet the condition; answers at once if they do already. */
  readonly awaitCounts: (isMet: (counts: Counts) => boolean) => Effect.Effect<Counts>
  /** The newest requests to the chat endpoint, oldest first. */
  readonly requests: Effect.Effect<ReadonlyArray<RecordedRequest>>
  /** The newest admissions, oldest first. */
  readonly admissions: Effect.Effect<ReadonlyArray<AdmittedRequest>>
}

const formats: { readonly [Vendor in VendorName]: VendorFormat } = {
  openai: openAiFormat,
  anthropic: anthropicFormat,
  gemini: geminiFormat,
  groq: groqFormat
}

const stateOf = (options: LoopbackVendorOptions): VendorState => {
  const speed = options.speed ?? 1
  if (!(speed > 0)) throw new RangeError(`speed: expected a number greater than 0, found ${speed}`)
  return new VendorState({
    format: formats[options.vendor],
    clock: new VendorClock(speed),
    admission: new Admission({
      limits: {
        requests: options.requestLimit,
        tokens: options.tokenLimit,
        inputTokens: options.inputTokenLimit,
        outputTokens: options.outputTokenLimit,
        requestsPerDay: options.requestsPerDay
      },
      windowMs: Duration.toMillis(options.window ?? "60 seconds"),
      chargesMaxTokens: options.counting === "max_tokens_on_arrival"
    }),
    latency: options.latency ?? defaultLatency[options.vendor],
    headersShow: options.headersShow ?? "completion",
    draw: makeDraws(`${options.vendor}:${options.seed ?? 0}`),
    apiKey: options.apiKey,
    models: options.models,
    keepRequests: options.keepRequests ?? 100,
    keepAdmissions: options.keepAdmissions ?? 1000
  })
}

const listen = (server: Server): Effect.Effect<number> =>
  Effect.async((resume) => {
    server.once("error", (error) => resume(Effect.die(error)))
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0))
    })
  })

const close = (server: Server): Effect.Effect<void> =>
  Effect.async((resume) => {
    server.close(() => resume(Effect.void))
    server.closeAllConnections()
  })

/** Starts a vendor; it ends, with all its connections, when the scope closes. A `speed` ≤ 0 dies. */
const make = (options: LoopbackVendorOptions): Effect.Effect<LoopbackVendor, never, Scope.Scope> =>
  Effect.gen(function*() {
    const state = yield* Effect.sync(() => stateOf(options))
    const server = createServer((request, response) => {
      void new Exchange(state, request, response)
    })
    // Idle connections stay until the scope closes: one that ends just as the client sends again is a false reset.
    server.keepAliveTimeout = 0
    const port = yield* Effect.acquireRelease(listen(server), () => close(server))
    return {
      vendor: options.vendor,
      url: `http://127.0.0.1:${port}${state.format.basePath}`,
      fail: (fault, { times = 1 } = {}) => Effect.sync(() => state.script(fault, times)),
      setFault: (fault) => Effect.sync(() => state.setStanding(fault)),
      counts: Effect.sync(() => state.tally.counts()),
      awaitCounts: (isMet) => state.tally.awaitCounts(isMet),
      requests: Effect.sync(() => state.requests()),
      admissions: Effect.sync(() => state.admissions())
    }
  })

/**
 * @since 0.1.0
 */
export const LoopbackVendor: { readonly make: typeof make } = { make }
