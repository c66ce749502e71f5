import { Cause, type Clock, type Effect, Exit, FiberId, Runtime, type Scope } from "effect"
import { ProviderFailure } from "../../Provider.ts"
import { type RouterError, StreamInterrupted } from "../../RouterError.ts"
import type { AnswerStream, ProviderPart, StreamOptions, StreamPart } from "../../StreamPart.ts"
import { asFailure } from "../callProvider.ts"
import { monotonicMs } from "../clock.ts"
import { type Ending, failedSettlement, type Outcome } from "../ending.ts"
import type { Route } from "../route.ts"
import { type Batch, endedTooSoon, type Opened } from "./openAnswer.ts"
import { Transcript } from "./Transcript.ts"
import { type Overdue, overdue, Watch } from "./Watch.ts"

type Result = IteratorResult<ReadonlyArray<StreamPart>, undefined>
type Unfinished = Exclude<ProviderPart, { readonly _tag: "Finish" }>

/** What is done with what comes of one answer. */
interface Hears {
  readonly came: (result: IteratorResult<Batch>) => void
  readonly threw: (thrown: unknown) => void
}

export interface StreamContext {
  readonly ending: Ending
  readonly route: Route
  readonly options: StreamOptions
  readonly clock: Clock.Clock
  readonly runtime: Runtime.Runtime<Scope.Scope>
  /** Goes on with the route, after what has failed. */
  readonly reopen: Effect.Effect<Opened, RouterError, Scope.Scope>
}

const done: IteratorReturnResult<undefined> = { done: true, value: undefined }

const isUnfinished = (part: ProviderPart): part is Unfinished => part._tag !== "Finish"

/**
 * An answer from its beginning to its end. Written by hand: a batch of parts costs one promise, where a `Stream` costs
 * a fiber's step. Effects run only where an answer begins or ends.
 */
export class RoutedStream implements AnswerStream {
  #opened: Opened
  #transcript = new Transcript()
  #hears: Hears
  #watch: Watch
  /** What has been read already: the beginning of the answer, and what to say before it. */
  #first: Batch | undefined
  #before: ReadonlyArray<StreamPart>
  /** Takes the next batch; whoever asks earlier than it has come is queued. */
  #reader: ((result: Result | Promise<Result>) => void) | undefined
  #last: Promise<Result> = Promise.resolve(done)
  #queued = 0
  /** Nothing comes any more from what is open. */
  #isOver = false
  /** What a broken answer says to whoever reads on. */
  #verdict: Promise<never> | undefined
  /** The reader has left; and what it leaves, while the answer is restarted. */
  #isLeft = false
  #restarting: AbortController | undefined

  constructor(opened: Opened, readonly context: StreamContext) {
    this.#opened = opened
    this.#first = opened.first
    this.#before = [this.#route()]
    this.#hears = this.#hearing()
    this.#watch = this.#watched()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<Result> {
    if (this.#reader === undefined && this.#queued === 0) return this.#last = this.#pull()
    this.#queued++
    const inTurn = () => {
      this.#queued--
      return this.#pull()
    }
    return this.#last = this.#last.then(inTurn, inTurn)
  }

  /** The reader has enough. */
  async return(): Promise<IteratorReturnResult<undefined>> {
    this.#isLeft = true
    this.#restarting?.abort()
    if (!this.#isOver) await this.#left()
    this.#answer(done)
    return done
  }

  #pull(): Promise<Result> {
    if (this.#isOver) return this.#verdict ?? Promise.resolve(done)
    this.#watch.waits()
    return new Promise((resolve) => {
      this.#reader = resolve
      if (this.#first === undefined) return this.#ask()
      const value = this.#first
      this.#first = undefined
      this.#came({ done: false, value })
    })
  }

  #ask(): void {
    this.#opened.parts.next().then(this.#hears.came, this.#hears.threw)
  }

  /** Made once an answer, not once a batch. What was asked of an answer that has been given up is not heard any more. */
  #hearing(): Hears {
    const { parts } = this.#opened
    const isCurrent = () => parts === this.#opened.parts && !this.#isOver
    return {
      came: (result: IteratorResult<Batch>) => isCurrent() ? this.#came(result) : undefined,
      threw: (thrown: unknown) => isCurrent() ? this.#broke(asFailure(thrown)) : undefined
    }
  }

  #came(result: IteratorResult<Batch>): void {
    if (result.done === true) return this.#broke(endedTooSoon())
    const { value } = result
    this.#watch.came(this.#transcript.add(value))
    if (this.#isOver) return
    if (this.#transcript.finish !== undefined) return this.#complete(this.#transcript.finish, value)
    if (value.length === 0) return this.#ask()
    // There is no `Finish` among them.
    let parts: ReadonlyArray<StreamPart> = value as ReadonlyArray<Unfinished>
    if (this.#before.length > 0) {
      parts = [...this.#before, ...parts]
      this.#before = []
    }
    this.#answer({ done: false, value: parts })
  }

  #complete({ finishReason }: NonNullable<Transcript["finish"]>, batch: Batch): void {
    const { called: { reservation }, firstTokenMs, limits } = this.#opened
    const latencyMs = this.#stop()
    const usage = this.#transcript.usage
    const { model } = this
    const { journey } = this.context.route
    const { provider } = reservation
    const finish = {
      _tag: "Finish" as const,
      finishReason,
      provider,
      model,
      inputTokens: usage?.inputTokens ?? reservation.inputTokens,
      outputTokens: usage?.outputTokens ?? reservation.outputTokens,
      latencyMs,
      firstTokenMs,
      attempts: this.context.route.failed.length + 1
    }
    const before = [...this.#before, ...batch.filter(isUnfinished)]
    const settlement = { _tag: "Success", usage, latencyMs, firstTokenMs, limits } as const
    const ended = this.#end({ exit: Exit.succeed({ model, usage, finishReason }), latencyMs, settlement })
    this.#answer(ended.then(() => {
      journey.answered(provider)
      return { done: false, value: [...before, { ...finish, route: journey.trace }] }
    }))
  }

  /** The vendor's fault, or a time that has passed: the reader has seen a part of the answer, and is told. */
  #broke(failure: ProviderFailure, mayRestart = true): void {
    const { called: { reservation }, firstTokenMs } = this.#opened
    const { ending, options } = this.context
    const latencyMs = this.#stop()
    const usage = failure.usage ?? this.#transcript.used(reservation, true)
    const settlement = { ...failedSettlement(failure, latencyMs), usage, firstTokenMs }
    const ended = this.#end({ exit: Exit.fail(failure), latencyMs, settlement })
    const restarts = mayRestart && options.onInterrupt === "restart"
      && ending.settings.failures[failure.class].request !== "fail"
    if (restarts) this.#answer(ended.then(() => this.#restart(failure)))
    else this.#condemn(failure, ended)
  }

  /** Whoever reads on hears the same. */
  #condemn({ class: because, message: detail }: ProviderFailure, ended: Promise<void>): void {
    const { characters, ...received } = this.#transcript.received
    this.#verdict = ended.then(() => {
      const interrupted = StreamInterrupted.make({
        provider: this.#opened.called.reservation.provider,
        model: this.model,
        because,
        detail,
        usage: this.#transcript.usage,
        attempts: [...this.context.route.failed],
        received: { characters, ...received }
      })
      this.context.route.journey.failed(Cause.fail(interrupted))
      throw interrupted
    })
    // Nobody may be reading.
    this.#verdict.catch(() => {})
    this.#answer(this.#verdict)
  }

  async #restart(failure: ProviderFailure): Promise<Result> {
    const { reopen, runtime } = this.context
    const { provider } = this.#opened.called.reservation
    const { journey } = this.context.route
    if (this.#isLeft) {
      journey.left()
      return done
    }
    this.#restarting = new AbortController()
    const exit = await Runtime.runPromiseExit(runtime)(reopen, { signal: this.#restarting.signal })
    if (Exit.isFailure(exit)) {
      if (this.#isLeft) {
        journey.left()
        return done
      }
      this.#condemn(failure, Promise.resolve())
      return this.#verdict ?? done
    }
    this.#opened = exit.value
    this.#transcript = new Transcript()
    this.#first = exit.value.first
    this.#before = [{ _tag: "Restart", provider, because: failure.class }, this.#route()]
    this.#hears = this.#hearing()
    this.#watch = this.#watched()
    this.#isOver = false
    if (this.#isLeft) await this.#left()
    return this.#pull()
  }

  async #left(): Promise<void> {
    await this.#giveUp()
    this.context.route.journey.left()
  }

  /** The reader's end: no fault of the provider. */
  async #giveUp(): Promise<void> {
    const { called: { reservation }, firstTokenMs } = this.#opened
    const latencyMs = this.#stop()
    const usage = this.#transcript.used(reservation, false)
    const settlement = { _tag: "Failure", class: "cancelled", usage, latencyMs, firstTokenMs } as const
    await this.#end({ exit: Exit.interrupt(FiberId.none), latencyMs, settlement })
  }

  #overdue(which: Overdue): void {
    if (which !== "reader") {
      return this.#broke(new ProviderFailure({ class: "timeout", message: overdue[which] }), which !== "total")
    }
    const failure = new ProviderFailure({ class: "cancelled", message: overdue.reader })
    this.#condemn(failure, this.#giveUp())
  }

  #answer(result: Result | Promise<Result>): void {
    const reader = this.#reader
    this.#reader = undefined
    reader?.(result)
  }

  get model(): string {
    return this.#transcript.model ?? this.#opened.called.provider.model
  }

  #route(): StreamPart {
    const { provider } = this.#opened.called.reservation
    return { _tag: "Route", provider, model: this.model, attempts: this.context.route.failed.length + 1 }
  }

  #watched(): Watch {
    const { clock, ending, runtime } = this.context
    return new Watch(clock, Runtime.runFork(runtime), ending.settings.stream, (which) => this.#overdue(which))
  }

  /** Nothing more is expected. Answers how long it took, without the time in which nobody read. */
  #stop(): number {
    this.#isOver = true
    this.#watch.stop()
    return monotonicMs(this.context.clock) - this.#opened.startedMs - this.#watch.readingMs
  }

  #end(outcome: Outcome): Promise<void> {
    return Runtime.runPromise(this.context.runtime)(this.#opened.end(outcome))
  }
}
