/**
 * The router for callers without Effect: promises, `AbortSignal`, and errors that are thrown as they are.
 *
 * @since 0.1.0
 */
import { Cause, type Duration, Effect, Exit, type ManagedRuntime } from "effect"
import type { ChatRequest } from "./ChatRequest.ts"
import type { ChatResponse } from "./ChatResponse.ts"
import { Router } from "./Router.ts"
import { RouterClosed } from "./RouterError.ts"
import type { RouterStatus } from "./Status.ts"

/**
 * @since 0.1.0
 */
export interface CallOptions {
  /** Aborts the call under way on the wire and frees what it reserved; the promise rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined
}

/**
 * @since 0.1.0
 */
export class PromiseRouter<E> implements AsyncDisposable {
  readonly #runtime: ManagedRuntime.ManagedRuntime<Router, E>
  #closed = false

  /** The router takes the runtime over: `close` disposes of it. */
  constructor(runtime: ManagedRuntime.ManagedRuntime<Router, E>) {
    this.#runtime = runtime
  }

  /** Rejects with one of `RouterError`, with `RouterClosed`, or with what building the router failed with. */
  chat(request: ChatRequest, options: CallOptions = {}): Promise<ChatResponse> {
    return this.#run(Effect.flatMap(Router, (router) => router.chat(request)), options.signal)
  }

  status(): Promise<RouterStatus> {
    return this.#run(Effect.flatMap(Router, (router) => router.status))
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

  async #run<A, E2>(effect: Effect.Effect<A, E2, Router>, signal?: AbortSignal): Promise<A> {
    if (this.#closed) throw new RouterClosed()
    signal?.throwIfAborted()
    const exit = await this.#runtime.runPromiseExit(effect, signal === undefined ? {} : { signal })
    if (Exit.isSuccess(exit)) return exit.value
    if (signal?.aborted === true && Cause.isInterrupted(exit.cause)) throw signal.reason
    throw Cause.squash(exit.cause)
  }
}
