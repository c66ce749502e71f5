/**
 * The router for callers without Effect: promises, `AbortSignal`, and errors that are thrown as they are.
 *
 * @since 0.1.0
 */
import { Cause, type Duration, Effect, Exit, identity, type ManagedRuntime, Scope } from "effect"
import type { ChatRequest } from "./ChatRequest.ts"
import type { ChatResponse } from "./ChatResponse.ts"
import type { Explanation } from "./Explanation.ts"
import { textOf } from "./internal/stream/toStream.ts"
import { PromiseStream } from "./PromiseStream.ts"
import { Router, type RouterService } from "./Router.ts"
import { RouterClosed, StateUnavailable } from "./RouterError.ts"
import type { RouterStatus, StatusReport } from "./Status.ts"
import type { StreamOptions, StreamPart } from "./StreamPart.ts"

/**
 * @since 0.1.0
 */
export interface CallOptions {
  /** Aborts the call under way on the wire and frees what it reserved; the promise rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined
}

/** What only looks dies with the state; whoever has no Effect is told as by `chat`. */
const looking = <A>(look: (router: RouterService) => Effect.Effect<A>) =>
  Effect.catchAllDefect(Effect.flatMap(Router, look), (cause) => new StateUnavailable({ cause }))

/**
 * @since 0.1.0
 */
export class PromiseRouter<E> implements AsyncDisposable {
  readonly #runtime: ManagedRuntime.ManagedRuntime<Router, E>
  readonly #ready: () => Promise<void> | undefined
  #closed = false

  /** The router takes the runtime over: `close` disposes of it. Every call waits for `ready`, where that is a promise. */
  constructor(
    runtime: ManagedRuntime.ManagedRuntime<Router, E>,
    ready: () => Promise<void> | undefined = () => undefined
  ) {
    this.#runtime = runtime
    this.#ready = ready
  }

  /** Rejects with one of `RouterError`, with `RouterClosed`, or with what building the router failed with. */
  chat(request: ChatRequest, options: CallOptions = {}): Promise<ChatResponse> {
    return this.#run(Effect.flatMap(Router, (router) => router.chat(request)), options.signal)
  }

  /** As `Router.stream`: the text of the answer, as it comes. */
  stream(request: ChatRequest, { signal }: CallOptions = {}): PromiseStream<string> {
    // Nothing else of what it may hold: text has no place to say that it begins anew.
    return this.#stream(request, { signal }, textOf)
  }

  /** As `Router.streamParts`. */
  streamParts(request: ChatRequest, options: CallOptions & StreamOptions = {}): PromiseStream<StreamPart> {
    return this.#stream(request, options, identity)
  }

  /** As `Router.status`; rejects with `StateUnavailable` where the state cannot be looked at. */
  status(): Promise<RouterStatus> {
    return this.#run(looking((router) => router.status))
  }

  /** As `Router.report`; rejects with `StateUnavailable` where the state cannot be looked at. */
  report(): Promise<StatusReport> {
    return this.#run(looking((router) => router.report))
  }

  /** As `Router.explain`: where the request would go now, and why. Nothing is sent. */
  explain(request: ChatRequest, options?: Parameters<RouterService["explain"]>[1]): Promise<Explanation> {
    return this.#run(Effect.flatMap(Router, (router) => router.explain(request, options)))
  }

  /** As `Router.forceOpen`; rejects with `UnknownProvider`. */
  forceOpen(provider: string, options?: { readonly for?: Duration.DurationInput | undefined }): Promise<void> {
    return this.#run(Effect.flatMap(Router, (router) => router.forceOpen(provider, options)))
  }

  /** As `Router.forceClose`; rejects with `UnknownProvider`. */
  forceClose(provider: string): Promise<void> {
    return this.#run(Effect.flatMap(Router, (router) => router.forceClose(provider)))
  }

  /** Releases what the router holds; calls under way still end, later ones reject with `RouterClosed`. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#runtime.dispose()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #stream<A>(
    request: ChatRequest,
    { signal, ...options }: CallOptions & StreamOptions,
    pick: (batch: ReadonlyArray<StreamPart>) => ReadonlyArray<A>
  ): PromiseStream<A> {
    const opened = Effect.flatMap(Router, (router) => router.openStream(request, options))
    const open = async (left: AbortSignal) => {
      const scope = Effect.runSync(Scope.make())
      try {
        return await this.#run(Scope.extend(opened, scope), left)
      } catch (error) {
        // Also where it had been opened, just as its reader left.
        await Effect.runPromise(Scope.close(scope, Exit.void))
        throw error
      }
    }
    return new PromiseStream(open, pick, signal)
  }

  async #run<A, E2>(effect: Effect.Effect<A, E2, Router>, signal?: AbortSignal): Promise<A> {
    if (this.#closed) throw new RouterClosed()
    signal?.throwIfAborted()
    const ready = this.#ready()
    const prepared = ready === undefined ? effect : Effect.zipRight(Effect.promise(() => ready), effect)
    const exit = await this.#runtime.runPromiseExit(prepared, signal === undefined ? {} : { signal })
    if (Exit.isSuccess(exit)) return exit.value
    if (signal?.aborted === true && Cause.isInterrupted(exit.cause)) throw signal.reason
    throw Cause.squash(exit.cause)
  }
}
