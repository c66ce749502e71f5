import { ProviderFailure } from "@route-llm/core"
import type { LimitReading, ProviderPart, ProviderResponse, ProviderStream, Usage } from "@route-llm/core"
import { Effect, type Scope } from "effect"
import type { Answered } from "../Adapter.ts"
import { blocked } from "./answer.ts"
import { isRecord } from "./json.ts"

/** The parts that one event of the vendor's stands for. */
export type Batch = ReadonlyArray<ProviderPart>

/** What the events of one answer say. It remembers what came before, so there is one for each answer. */
export interface StreamReader {
  /** Throws a `ProviderFailure`, or the error that the vendor reports in the event. */
  read(event: unknown): Batch
  /** What is left to say when the events have ended by themselves. Throws likewise. */
  end(): Batch
  /** Of the answer, where the SDK hands them over with its events. */
  readonly headers?: unknown
  /** What the SDK throws while it reads, in a form that `classify` knows; as it is unless told. */
  failure?(thrown: unknown): unknown
}

/** How what is heard of a call is read. */
export interface Hearing {
  limits(headers: unknown): ReadonlyArray<LimitReading> | undefined
  failed(headers?: unknown): (thrown: unknown) => ProviderFailure
}

/** Nothing to say of an event. It is a batch all the same: the vendor is alive. */
export const nothing: Batch = []

/** The last part, of an answer that the vendor has called complete; see `answer` for the two rules in it. */
export const finish = (
  finishReason: Extract<ProviderPart, { readonly _tag: "Finish" }>["finishReason"],
  seen: {
    readonly isEmpty: boolean
    readonly calls: number
    readonly model: string
    readonly usage: Usage | undefined
  }
): ProviderPart => {
  if (finishReason === "content_filter" && seen.isEmpty) throw blocked(seen.model, seen.usage)
  return { _tag: "Finish", finishReason: finishReason === "stop" && seen.calls > 0 ? "tool_calls" : finishReason }
}

const whole = ({ content, finishReason, model, raw, toolCalls = [], usage }: ProviderResponse): Batch => [
  { _tag: "Metadata", model, raw },
  ...(content === "" ? [] : [{ _tag: "Text" as const, text: content }]),
  ...toolCalls.map((call, index) => ({ _tag: "ToolCall" as const, index, ...call })),
  ...(usage === undefined ? [] : [{ _tag: "Usage" as const, usage }]),
  { _tag: "Finish", finishReason }
]

const isIterable = (raw: unknown): raw is AsyncIterable<unknown> => isRecord(raw) && Symbol.asyncIterator in raw

async function* once(value: unknown) {
  yield value
}

/** V8 quotes the text that it cannot parse, and that is the answer's. */
const withoutContent = (thrown: unknown): unknown =>
  thrown instanceof SyntaxError
    ? new ProviderFailure({ class: "transient", message: "The vendor sent an event that is no JSON." })
    : thrown

interface Source {
  readonly events: AsyncIterator<unknown>
  readonly reader: StreamReader
  readonly headers: unknown
}

/** Between the vendor's last event and the end of its body. */
const longestDrainMs = 1_000

const done: IteratorReturnResult<undefined> = { done: true, value: undefined }

/** Written by hand: a part costs one promise beside the SDK's own, an async generator two. */
class PartsStream implements ProviderStream, AsyncIterator<Batch, undefined> {
  readonly #source: Source
  readonly #controller: AbortController
  readonly #hearing: Hearing
  #limits: ReadonlyArray<LimitReading> | undefined
  #isOver = false
  #isSaid = false

  constructor(source: Source, controller: AbortController, hearing: Hearing) {
    this.#source = source
    this.#controller = controller
    this.#hearing = hearing
    this.#limits = hearing.limits(source.headers)
    controller.signal.addEventListener("abort", this.#leave)
    if (controller.signal.aborted) this.#leave()
  }

  /** Gemini's come with the first event. */
  get limits(): ReadonlyArray<LimitReading> | undefined {
    return this.#limits ??= this.#hearing.limits(this.#source.reader.headers)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<Batch, undefined>> {
    if (this.#isOver) return Promise.resolve(done)
    try {
      return this.#source.events.next().then(this.#came, this.#broke)
    } catch (thrown) {
      // No SDK's: an iterator of a client that only looks like one.
      return Promise.reject(thrown).catch(this.#broke)
    }
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    this.end()
    return done
  }

  /** Of what has been said to the end nothing is left to abort. */
  end(): void {
    if (!this.#isSaid) this.#controller.abort()
  }

  readonly #came = (result: IteratorResult<unknown>): IteratorResult<Batch, undefined> => {
    if (this.#isOver) return done
    const { reader } = this.#source
    try {
      if (result.done === true) {
        this.#isOver = true
        this.#isSaid = true
        const value = reader.end()
        return value.length === 0 ? done : { done: false, value }
      }
      const value = reader.read(result.value)
      if (value[value.length - 1]?._tag === "Finish") this.#drain()
      return { done: false, value }
    } catch (thrown) {
      return this.#fail(thrown)
    }
  }

  /** An SDK that is aborted throws or ends, as it likes. */
  readonly #broke = (thrown: unknown): IteratorReturnResult<undefined> => {
    if (this.#isOver) return done
    return this.#fail(this.#source.reader.failure?.(thrown) ?? thrown)
  }

  #fail(thrown: unknown): never {
    const failure = this.#hearing.failed(this.#source.headers ?? this.#source.reader.headers)(withoutContent(thrown))
    this.#controller.abort()
    throw failure
  }

  /**
   * All has been said. The end of the body is read all the same, since the connection is of use again only then; a
   * vendor that does not end it is left after a while.
   */
  #drain(): void {
    this.#isOver = true
    this.#isSaid = true
    const { events } = this.#source
    const timer = setTimeout(() => this.#controller.abort(), longestDrainMs)
    const read = (result: IteratorResult<unknown>): unknown =>
      result.done === true ? undefined : events.next().then(read)
    events.next().then(read).catch(() => {}).finally(() => clearTimeout(timer))
  }

  /** A client that does not heed the signal is told to stop where it can be. */
  readonly #leave = (): void => {
    this.#isOver = true
    const left = async () => this.#source.events.return?.()
    left().catch(() => {})
  }
}

/** How one call is made, and its answer read. */
interface Opening {
  readonly hearing: Hearing
  /** Resolves when the vendor has begun to answer. */
  readonly open: (signal: AbortSignal) => Promise<Answered>
  readonly reader: () => StreamReader
  /** An answer that came whole: a client can look like the SDK's and not stream. */
  readonly read: (raw: unknown) => ProviderResponse
}

const sourceOf = ({ headers, raw }: Answered, { read, reader }: Opening): Source => {
  if (isIterable(raw)) return { events: raw[Symbol.asyncIterator](), reader: reader(), headers }
  const batch = whole(read(raw))
  return { events: once(raw), reader: { read: () => batch, end: () => nothing }, headers }
}

/** The stream of one call, which is aborted when the scope closes, or this is interrupted. */
export const openStream = (opening: Opening): Effect.Effect<ProviderStream, ProviderFailure, Scope.Scope> => {
  const { hearing } = opening
  /** A client that does not heed the signal can resolve after it: the stream it hands over is left at once. */
  const begun = async (controller: AbortController) => {
    const answered = await opening.open(controller.signal)
    try {
      return new PartsStream(sourceOf(answered, opening), controller, hearing)
    } catch (thrown) {
      throw hearing.failed(answered.headers)(thrown)
    }
  }
  return Effect.gen(function*() {
    const controller = new AbortController()
    let stream: PartsStream | undefined
    const end = Effect.sync(() => stream === undefined ? controller.abort() : stream.end())
    yield* Effect.addFinalizer(() => end)
    const begin = Effect.tryPromise({ try: () => begun(controller), catch: hearing.failed() })
    return stream = yield* Effect.onInterrupt(begin, () => end)
  })
}
