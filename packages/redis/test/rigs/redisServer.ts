/**
 * Where the tests' Redis comes from: `REDIS_URL`, else a `redis-server` or `valkey-server` on PATH, started on a free
 * loopback port without persistence and stopped after. With neither, the suites that need one are skipped and say so
 * once; with `REQUIRE_REDIS=1` they fail.
 */
import { Effect, Mailbox, type Scope, type Stream } from "effect"
import { Redis } from "ioredis"
import type { ChildProcess } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { freePort, kill, onPath, start, temporaryFolder } from "./process.ts"

/** Any Redis the tests may use, their own or the one at `REDIS_URL`. */
export interface AnyRedis {
  readonly url: string
  /** The test's own connection, beside those under test. */
  readonly client: Redis
  /** Empties it. Of the one at `REDIS_URL` only what this project wrote. */
  readonly flush: Effect.Effect<void>
  /** Every command it takes from now on, in its order. On already when the effect succeeds. */
  readonly monitor: Effect.Effect<Stream.Stream<MonitoredCommand>, never, Scope.Scope>
}

/** One that the test has started itself, and may therefore break. */
export interface RedisServer extends AnyRedis {
  readonly port: number
  /** Of the process that runs now. */
  readonly pid: Effect.Effect<number>
  /** Killed, as a crash does it. What it held is lost. */
  readonly stop: Effect.Effect<void>
  /** On the same port, empty; nothing where it runs. */
  readonly start: Effect.Effect<void>
  /** `stop`, then `start`. */
  readonly restart: Effect.Effect<void>
  /** Takes connections and bytes, and answers nothing (SIGSTOP). */
  readonly freeze: Effect.Effect<void>
  readonly thaw: Effect.Effect<void>
}

export interface MonitoredCommand {
  /** Seconds since 1970, by the server's clock. */
  readonly at: number
  /** In upper case. */
  readonly name: string
  readonly args: ReadonlyArray<string>
  /** The client's address; `lua` for what a script calls. */
  readonly source: string
}

const serverBinary = onPath("redis-server", "valkey-server")

/** Beside the server's, for what only the command line does. */
export const cliBinary = serverBinary?.replace(/-server$/, "-cli")

/** `own`: a server that can be killed and frozen is needed, so `REDIS_URL` does not do. */
export const missing = (needs: "any" | "own"): string | undefined =>
  serverBinary !== undefined || (needs === "any" && process.env.REDIS_URL !== undefined)
    ? undefined
    : "no Redis: install redis-server or valkey-server" + (needs === "any" ? ", or set REDIS_URL" : "")

/**
 * A connection of the test's own, that waits for the server to come (back) and gives up when the scope closes. Errors
 * of the connection itself are what tests here bring about.
 */
export const connect = (url: string): Effect.Effect<Redis, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const client = new Redis(url, { maxRetriesPerRequest: null, retryStrategy: () => 50 })
      client.on("error", () => {})
      return client
    }),
    (client) => Effect.sync(() => client.disconnect())
  )

const monitored = (url: string): AnyRedis["monitor"] =>
  Effect.gen(function*() {
    const client = yield* connect(url)
    const monitor = yield* Effect.acquireRelease(
      Effect.promise(() => client.monitor()),
      (monitor) => Effect.sync(() => monitor.disconnect())
    )
    const taken = yield* Mailbox.make<MonitoredCommand>()
    monitor.on("monitor", (time: string, [name = "", ...args]: Array<string>, source: string) => {
      taken.unsafeOffer({ at: Number(time), name: name.toUpperCase(), args, source })
    })
    return Mailbox.toStream(taken)
  })

/** `pattern`'s keys, where others may have keys of their own beside them. */
const unlink = async (client: Redis, pattern: string): Promise<void> => {
  for await (const keys of client.scanStream({ match: pattern, count: 1_000 })) {
    if (keys.length > 0) await client.unlink(...keys)
  }
}

/** No persistence, loopback only, and as quick as it can be. */
const commonArgs = ["--save", "", "--appendonly", "no", "--bind", "127.0.0.1", "--repl-diskless-sync-delay", "0"]

/** Of the process: arguments for the port and folder that it has, and the line that says it is ready. */
interface Kind {
  readonly args: (port: number, folder: string) => ReadonlyArray<string>
  readonly ready: string
}

/** A server of the test's own. `args` are options of `redis-server` beside the common ones. */
export const redisServer = (args: ReadonlyArray<string> = []): Effect.Effect<RedisServer, never, Scope.Scope> =>
  server({
    args: (port) => ["--port", String(port), ...commonArgs, ...args],
    ready: "Ready to accept connections"
  })

/** A sentinel with these directives. */
export const sentinelServer = (directives: ReadonlyArray<string>): Effect.Effect<RedisServer, never, Scope.Scope> =>
  server({
    args: (port, folder) => {
      const file = join(folder, "sentinel.conf")
      writeFileSync(file, [`port ${port}`, "bind 127.0.0.1", ...directives, ""].join("\n"))
      return [file, "--sentinel"]
    },
    ready: "Sentinel ID is"
  })

const server = ({ args, ready }: Kind): Effect.Effect<RedisServer, never, Scope.Scope> =>
  Effect.gen(function*() {
    if (serverBinary === undefined) return yield* Effect.dieMessage(String(missing("own")))
    const cwd = yield* temporaryFolder
    const port = yield* freePort
    const url = `redis://127.0.0.1:${port}`
    let running: ChildProcess | undefined
    const started = Effect.suspend(() =>
      running === undefined
        ? start({ command: serverBinary, args: args(port, cwd), cwd, isReady: (line) => line.includes(ready) }).pipe(
          Effect.map((child) => void (running = child))
        )
        : Effect.void
    )
    const stopped = Effect.suspend(() => {
      const child = running
      running = undefined
      return child === undefined ? Effect.void : kill(child)
    })
    const signal = (name: NodeJS.Signals) => Effect.sync(() => void running?.kill(name))
    yield* Effect.acquireRelease(started, () => stopped)
    const client = yield* connect(url)
    return {
      url,
      port,
      client,
      pid: Effect.sync(() => running?.pid ?? 0),
      flush: Effect.promise(() => client.flushall()),
      monitor: monitored(url),
      start: started,
      stop: stopped,
      restart: Effect.zipRight(stopped, started),
      freeze: signal("SIGSTOP"),
      thaw: signal("SIGCONT")
    }
  })

/** The Redis at `REDIS_URL`, else a server of the test's own. */
export const anyRedis: Effect.Effect<AnyRedis, never, Scope.Scope> = Effect.suspend(
  (): Effect.Effect<AnyRedis, never, Scope.Scope> => {
    const url = process.env.REDIS_URL
    if (url === undefined) return redisServer()
    return Effect.map(connect(url), (client) => ({
      url,
      client,
      flush: Effect.promise(() => unlink(client, "route-llm:*")),
      monitor: monitored(url)
    }))
  }
)
