/**
 * Runs the scripts. A command is answered, or given up after the command timeout: nothing here waits longer, whatever
 * the client's own settings are.
 */
import type { StateFailure } from "@route-llm/core"
import { Data } from "effect"
import { Cluster, Command, type Redis } from "ioredis"
import { olderState, type Script } from "./scripts.ts"

/** What we ask of a client. */
export type RedisClient = Redis | Cluster

/**
 * - `timeout`: no answer within the command timeout;
 * - `unreachable`: no connection, or one that broke;
 * - `refused`: Redis answered with an error: out of memory, read-only, loading, a wrong type in a key;
 * - `lost`: it answers, and has forgotten what it held.
 */
type Reason = Exclude<StateFailure, "fault">

export class StoreFailure extends Data.TaggedError("StoreFailure")<{
  readonly reason: Reason
  readonly detail: string
}> {
  override get message(): string {
    return `Redis: ${this.detail}`
  }
}

export type Argument = string | Buffer

/** A bulk string is a `Buffer`. */
export type Reply = ReadonlyArray<unknown>

export type Answer = { readonly _tag: "Answered"; readonly reply: Reply } | StoreFailure

export interface Store {
  /** Calls `done` once. */
  readonly run: (
    script: Script,
    keys: ReadonlyArray<string>,
    args: ReadonlyArray<Argument>,
    done: (answer: Answer) => void
  ) => void
  /** The connection has gone: what was sent and is not sent again is given up at once, and not only after the timeout. */
  readonly giveUp: () => void
}

/** What ioredis says of a command that it cannot send, in words of its own options. */
const unsent = /enableOfflineQueue|Connection is closed/

const noConnection = new Error("Connection is closed.")

const failureOf = (error: unknown): StoreFailure => {
  const message = error instanceof Error ? error.message : String(error)
  const detail = unsent.test(message) ? "there is no connection" : message
  const isReply = error instanceof Error && error.name === "ReplyError"
  const reason = message.includes(olderState) ? "lost" : isReply ? "refused" : "unreachable"
  return new StoreFailure({ reason, detail })
}

export const makeStore = (client: RedisClient, timeoutMs: number): Store => {
  /** Sent in full before, so that Redis should know them by their digests. */
  const known = new Set<string>()
  const pending = new Set<(answer: Answer) => void>()

  // Not by the client's methods: with `enableAutoPipelining` they cannot take a command with an answer in bytes.
  const send = (name: string, args: ReadonlyArray<Argument>): Promise<unknown> => {
    // Many clients keep what they cannot send: nobody waits for it any more once they can.
    if (client.status !== "ready") {
      if (client.status === "wait") client.connect().catch(() => {})
      return Promise.reject(noConnection)
    }
    const { keyPrefix } = client.options
    const command = new Command(name, [...args], { replyEncoding: null, ...(keyPrefix ? { keyPrefix } : {}) })
    void client.sendCommand(command)
    return command.promise
  }

  const evaluate = async (
    { sha, text }: Script,
    keys: ReadonlyArray<string>,
    args: ReadonlyArray<Argument>
  ): Promise<unknown> => {
    const inFull = () => {
      known.add(sha)
      return send("eval", [text, String(keys.length), ...keys, ...args])
    }
    if (!known.has(sha)) return await inFull()
    try {
      return await send("evalsha", [sha, String(keys.length), ...keys, ...args])
    } catch (error) {
      // Redis has restarted, or its scripts were flushed.
      if (!(error instanceof Error) || !error.message.startsWith("NOSCRIPT")) throw error
      return await inFull()
    }
  }

  return {
    run: (script, keys, args, done) => {
      const end = (answer: Answer) => {
        if (!pending.delete(end)) return
        clearTimeout(timer)
        done(answer)
      }
      const timer = setTimeout(() => {
        // Where this process itself was held up, the answer may be there already: it is read before this runs.
        setImmediate(() => end(new StoreFailure({ reason: "timeout", detail: `no answer within ${timeoutMs} ms` })))
      }, timeoutMs)
      pending.add(end)
      evaluate(script, keys, args).then(
        (reply) => end({ _tag: "Answered", reply: Array.isArray(reply) ? reply : [] }),
        (error: unknown) => end(failureOf(error))
      )
    },
    giveUp: () => {
      // ioredis itself drops them without a word where `autoResendUnfulfilledCommands` is off.
      if (client instanceof Cluster || client.options.autoResendUnfulfilledCommands !== false) return
      for (const end of pending) {
        end(new StoreFailure({ reason: "unreachable", detail: "the connection was closed" }))
      }
    }
  }
}
