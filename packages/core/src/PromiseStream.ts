/**
 * A streamed answer for callers without Effect: a `for await` loop, a web `ReadableStream`, or server-sent events.
 *
 * ```ts no-run
 * import { LLMRouter } from "route-llm"
 *
 * const router = LLMRouter.fromEnv()
 *
 * for await (const text of router.stream({ messages: [{ role: "user", content: "A poem, please." }] })) {
 *   process.stdout.write(text)
 * }
 * ```
 *
 * @since 0.1.0
 */
import { errorEvent, event } from "./internal/stream/serverSentEvents.ts"
import type { AnswerStream, StreamPart } from "./StreamPart.ts"

const done: IteratorReturnResult<undefined> = { done: true, value: undefined }

type Result<A> = IteratorResult<A, undefined>
type Batch = ReadonlyArray<StreamPart>

/** Opens an answer; aborting the signal gives it up, wherever it is. */
type Open = (signal: AbortSignal) => Promise<AnswerStream>

/**
 * Nothing is sent before the first `next`, and nothing is read ahead (back-pressure). Leaving a `for await` loop, or
 * `return`, aborts the call on the wire. It can be read once.
 *
 * Rejects with what `chat` rejects with as long as nothing has come, then with `StreamInterrupted`; with `signal.reason`
 * once the signal is aborted.
 *
 * @since 0.1.0
 */
export class PromiseStream<A> implements AsyncIterableIterator<A, undefined>, AsyncDisposable {
  readonly #open: Open
  readonly #pick: (batch: Batch) => ReadonlyArray<A>
  readonly #signal: AbortSignal | undefined
  readonly #leave = (): void => void this.#end()
  readonly #forget = (): void => this.#signal?.removeEventListener("abort", this.#leave)
  /** While it is being opened. */
  #opening: { readonly answer: Promise<AnswerStream>; readonly giveUp: AbortController } | undefined
  #answer: AnswerStream | undefined
  #isLeft = false
  #batch: ReadonlyArray<A> = []
  #at = 0
  /** Calls of `next` that are not answered yet, and the last of them. */
  #asked = 0
  #last: Promise<unknown> = Promise.resolve()

  constructor(open: Open, pick: (batch: Batch) => ReadonlyArray<A>, signal?: AbortSignal) {
    this.#open = open
    this.#pick = pick
    this.#signal = signal
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<Result<A>> {
    const isFirst = this.#asked === 0
    if (isFirst && this.#at < this.#batch.length && !this.#isLeft) {
      return Promise.resolve({ done: false, value: this.#batch[this.#at++]! })
    }
    this.#asked++
    const pulled = isFirst ? this.#pull() : this.#last.then(this.#pull, this.#pull)
    this.#last = pulled
    return pulled
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    await this.#end()
    return done
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end()
  }

  /** The same as a web stream, for `new Response(…)` among others. Cancelling it aborts the call on the wire. */
  toReadableStream(): ReadableStream<A> {
    return this.#readable((item) => item)
  }

  /**
   * The same as server-sent events, for the body of a `text/event-stream`: `data:` is the text or the part as JSON, of a
   * `Metadata` without `raw`. What the answer fails with comes as `event: error` with `_tag`, `message` and
   * `isRetryable`, and ends it.
   */
  toEventStream(): ReadableStream<Uint8Array> {
    const encoder = new TextEncoder()
    return this.#readable((item) => encoder.encode(event(item)), (error) => encoder.encode(errorEvent(error)))
  }

  #readable<B>(write: (item: A) => B, last?: (error: unknown) => B): ReadableStream<B> {
    const pull = async (controller: ReadableStreamDefaultController<B>) => {
      try {
        const result = await this.next()
        if (result.done === true) controller.close()
        else controller.enqueue(write(result.value))
      } catch (error) {
        if (last === undefined) throw error
        controller.enqueue(last(error))
        controller.close()
      }
    }
    return new ReadableStream<B>({ pull, cancel: () => this.#end() }, { highWaterMark: 0 })
  }

  /** Not `async`, and made once: every batch goes through here. */
  readonly #pull = (): Promise<Result<A>> => {
    if (this.#isLeft) return this.#over()
    if (this.#at < this.#batch.length) return Promise.resolve(this.#item())
    return this.#answer === undefined ? this.#begin() : this.#answer.next().then(this.#came, this.#failed)
  }

  readonly #came = ({ done, value }: IteratorResult<Batch, undefined>): Result<A> | Promise<Result<A>> => {
    if (done === true) return this.#over()
    this.#batch = this.#pick(value)
    this.#at = 0
    return this.#batch.length === 0 || this.#isLeft ? this.#pull() : this.#item()
  }

  readonly #failed = async (error: unknown): Promise<Result<A>> => {
    if (this.#isLeft) return this.#over()
    await this.#end()
    this.#asked--
    throw error
  }

  #item(): Result<A> {
    this.#asked--
    return { done: false, value: this.#batch[this.#at++]! }
  }

  async #over(): Promise<Result<A>> {
    await this.#end()
    this.#asked--
    this.#signal?.throwIfAborted()
    return done
  }

  async #begin(): Promise<Result<A>> {
    try {
      this.#signal?.throwIfAborted()
      this.#signal?.addEventListener("abort", this.#leave, { once: true })
      const giveUp = new AbortController()
      this.#opening = { answer: this.#open(giveUp.signal), giveUp }
      this.#answer = await this.#opening.answer
      // It can end by itself, with nobody reading.
      void this.#answer.ended.then(this.#forget)
    } catch (error) {
      return this.#failed(error)
    } finally {
      this.#opening = undefined
    }
    return this.#pull()
  }

  /** Over, whoever ended it. */
  async #end(): Promise<void> {
    this.#isLeft = true
    this.#forget()
    this.#opening?.giveUp.abort()
    const answer = this.#answer ?? await this.#opening?.answer.catch(() => undefined)
    await answer?.return()
  }
}
