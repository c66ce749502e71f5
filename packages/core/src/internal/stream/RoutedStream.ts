import { Cause, type Clock, type Effect, Exit, Runtime } from "effect"
import { ProviderFailure } from "../../Provider.ts"
import { type RouterError, StreamInterrupted } from "../../RouterError.ts"
import type { AnswerStream, ProviderPart, StreamOptions, StreamPart } from "../../StreamPart.ts"
import { asFailure } from "../callProvider.ts"
import { monotonicMs } from "../clock.ts"
import type { Ending, Outcome } from "../ending.ts"
import type { Route } from "../route.ts"
import { type Batch, endedTooSoon, type Opened } from "./openAnswer.ts"
import { broken, completed, finishOf, left } from "./outcomes.ts"
import { type Finished, Transcript } from "./Transcript.ts"
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
  readonly runtime: Runtime.Runtime<never>
  /** Goes on with the route, after what has failed. */
  readonly reopen: Effect.Effect<Opened, RouterError>
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
  /** It goes on elsewhere, once that has begun. */
  #isTurning = false
  /** What has come lately was too little. */
  #isSlow = false
  /** What a broken answer says to whoever reads on. */
  #verdict: Promise<never> | undefined
  /** The reader has left; and what it leaves, while the answer is restarted. */
  #isLeft = false
  #restarting: AbortController | undefined
  #close = (): void => {}
  readonly ended = new Promise<void>((resolve) => {
    this.#close = resolve
  })

  constructor(opened: Opened, readonly context: StreamContext) {
    this.#opened = opened
    this.#first = opened.first
    this.#transcript.add(opened.first)
    this.#before = [this.#route()]
    this.#hears = this.#hearing()
    this.#watch = this.#watched()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<Result> {
    const isFree = this.#reader === undefined && this.#queued === 0 && !this.#isTurning
    if (isFree) return this.#last = this.#pull()
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
    if (!this.#isOver) {
      await this.#giveUp()
      this.#leave()
    }
    this.#answer(done)
    this.#over(Promise.resolve())
    return done
  }

  #pull(): Promise<Result> {
    if (this.#isOver) return this.#verdict ?? Promise.resolve(done)
    this.#watch.waits()
    return new Promise((resolve) => {
      this.#reader = resolve
      if (this.#isSlow) return this.#overdue("slow")
      if (this.#first === undefined) return this.#ask()
      const first = this.#first
      this.#first = undefined
      this.#take(first, 0)
    })
  }

  /** A provider may be anyone's own, and break in any way. */
  #ask(): void {
    const { came, threw } = this.#hears
    try {
      this.#opened.parts.next().then(came, threw)
    } catch (thrown) {
      threw(thrown)
    }
  }

  /** Made once an answer, not once a batch. What was asked of an answer that has been given up is not heard any more. */
  #hearing(): Hears {
    const { parts } = this.#opened
    const isCurrent = () => parts === this.#opened.parts && !this.#isOver
    const threw = (thrown: unknown) => isCurrent() ? this.#broke(asFailure(thrown)) : undefined
    const came = (result: IteratorResult<Batch>) => {
      try {
        if (isCurrent()) this.#came(result)
      } catch (thrown) {
        threw(thrown)
      }
    }
    return { came, threw }
  }

  #came(result: IteratorResult<Batch>): void {
    if (result.done === true) return this.#broke(endedTooSoon())
    this.#take(result.value, this.#transcript.add(result.value))
  }

  /** Hands over what is in the transcript already. */
  #take(value: Batch, characters: number): void {
    this.#isSlow = this.#watch.came(characters)
    if (this.#transcript.finish !== undefined) return this.#complete(this.#transcript.finish, value)
    if (value.length === 0) {
      this.#watch.waits()
      return this.#isSlow ? this.#overdue("slow") : this.#ask()
    }
    // There is no `Finish` among them.
    let parts: ReadonlyArray<StreamPart> = value as ReadonlyArray<Unfinished>
    if (this.#before.length > 0) {
      parts = [...this.#before, ...parts]
      this.#before = []
    }
    this.#answer({ done: false, value: parts })
  }

  #complete(finish: Finished, batch: Batch): void {
    const latencyMs = this.#stop()
    const { failed, journey } = this.context.route
    const answer = { model: this.model, usage: this.#transcript.usage, finishReason: finish.finishReason }
    const before = [...this.#before, ...batch.filter(isUnfinished)]
    const last = finishOf(this.#opened, answer, { latencyMs, attempts: failed.length + 1 })
    const ended = this.#end(completed(this.#opened, answer, latencyMs))
    this.#answer(ended.then(() => {
      journey.answered(last.provider)
      return { done: false, value: [...before, { ...last, route: journey.trace }] }
    }))
    this.#over(ended)
  }

  /** The vendor's fault, or a time that has passed: the reader has seen a part of the answer, and is told. */
  #broke(failure: ProviderFailure, mayRestart = true): void {
    const { ending, options } = this.context
    const ended = this.#end(broken(this.#opened, this.#transcript, failure, this.#stop()))
    const restarts = mayRestart && options.onInterrupt === "restart"
      && ending.settings.failures[failure.class].request !== "fail"
    if (!restarts) return this.#condemn(failure, ended)
    this.#isTurning = true
    this.#answer(ended.then(() => this.#restart(failure)))
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
    this.#over(ended)
  }

  async #restart(failure: ProviderFailure): Promise<Result> {
    const { reopen, runtime } = this.context
    const { provider } = this.#opened.called.reservation
    if (this.#isLeft) return this.#leave()
    this.#restarting = new AbortController()
    const exit = await Runtime.runPromiseExit(runtime)(reopen, { signal: this.#restarting.signal })
    this.#isTurning = false
    if (Exit.isFailure(exit)) {
      if (this.#isLeft) return this.#leave()
      this.#condemn(failure, Promise.resolve())
      return this.#verdict ?? done
    }
    this.#opened = exit.value
    this.#transcript = new Transcript()
    this.#transcript.add(exit.value.first)
    this.#first = exit.value.first
    this.#isSlow = false
    this.#before = [{ _tag: "Restart", provider, because: failure.class }, this.#route()]
    this.#hears = this.#hearing()
    this.#watch = this.#watched()
    this.#isOver = false
    if (!this.#isLeft) return this.#pull()
    await this.#giveUp()
    return this.#leave()
  }

  #leave(): IteratorReturnResult<undefined> {
    this.context.route.journey.left()
    return done
  }

  /** The reader's end: no fault of the provider. */
  #giveUp(): Promise<void> {
    return this.#end(left(this.#opened, this.#transcript, this.#stop()))
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

  #over(settled: Promise<void>): void {
    void settled.then(this.#close)
  }

  #end(outcome: Outcome): Promise<void> {
    return Runtime.runPromise(this.context.runtime)(this.#opened.end(outcome))
  }
}
