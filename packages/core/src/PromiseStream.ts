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
  readonly #pick: (batch: ReadonlyArray<StreamPart>) => ReadonlyArray<A>
  readonly #signal: AbortSignal | undefined
  readonly #left = new AbortController()
  readonly #leave = (): void => void this.#end()
  #answer: Promise<AnswerStream> | undefined
  #batch: ReadonlyArray<A> = []
  #at = 0
  /** Calls of `next` that are not answered yet, and the last of them. */
  #asked = 0
  #last: Promise<unknown> = Promise.resolve()

  constructor(
    open: Open,
    pick: (batch: ReadonlyArray<StreamPart>) => ReadonlyArray<A>,
    signal?: AbortSignal
  ) {
    this.#open = open
    this.#pick = pick
    this.#signal = signal
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<A, undefined>> {
    if (this.#asked === 0 && this.#at < this.#batch.length && !this.#left.signal.aborted) {
      return Promise.resolve({ done: false, value: this.#batch[this.#at++]! })
    }
    const pull = () => this.#pull()
    const pulled = this.#asked++ === 0 ? this.#pull() : this.#last.then(pull, pull)
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

  async #pull(): Promise<IteratorResult<A, undefined>> {
    try {
      while (!this.#left.signal.aborted) {
        if (this.#at < this.#batch.length) return { done: false, value: this.#batch[this.#at++]! }
        const { done, value } = await (await this.#opened()).next()
        if (done === true) break
        this.#batch = this.#pick(value)
        this.#at = 0
      }
    } catch (error) {
      if (!this.#left.signal.aborted) {
        await this.#end()
        throw error
      }
    } finally {
      this.#asked--
    }
    await this.#end()
    this.#signal?.throwIfAborted()
    return done
  }

  #opened(): Promise<AnswerStream> {
    this.#signal?.throwIfAborted()
    if (this.#answer === undefined) {
      this.#signal?.addEventListener("abort", this.#leave, { once: true })
      this.#answer = this.#open(this.#left.signal)
    }
    return this.#answer
  }

  /** Over, whoever ended it. */
  async #end(): Promise<void> {
    this.#signal?.removeEventListener("abort", this.#leave)
    this.#left.abort()
    const answer = await this.#answer?.catch(() => undefined)
    await answer?.return()
  }
}
