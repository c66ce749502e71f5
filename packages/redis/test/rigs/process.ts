/**
 * Server processes of the tests: started on a loopback port of their own, with a folder of their own, ready when they
 * say so, and gone when the scope closes, whatever state they are in.
 */
import { Effect, type Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { accessSync, constants, mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { createInterface } from "node:readline"

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** The full path of the first of these commands that is on PATH. */
export const onPath = (...names: ReadonlyArray<string>): string | undefined => {
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "")
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable)
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = createServer()
    probe.once("error", () => resolve(false))
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)))
  })

/** Where a cluster's nodes talk to each other: their port and this. */
const busOffset = 10_000

const mostPorts = 2_000

/**
 * A free port whose cluster bus is free too. Below the range that the system takes for outgoing connections, so that
 * none of them has it when a server comes back after a restart; the place to look first differs between processes.
 */
export const freePort: Effect.Effect<number> = Effect.promise(async () => {
  for (let tried = 0; tried < mostPorts; tried++) {
    const port = firstPort + nextPort++ % portRange
    if (await isFree(port) && await isFree(port + busOffset)) return port
  }
  throw new Error(`no free port on 127.0.0.1 from ${firstPort} to ${firstPort + portRange}`)
})

const firstPort = 12_000
const portRange = 10_000
let nextPort = Math.floor(Math.random() * portRange)

/** A folder that goes with the scope. */
export const temporaryFolder: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "route-llm-redis-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

export interface ServerCommand {
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly cwd: string
  /** The line with which it says that it takes connections. */
  readonly isReady: (line: string) => boolean
}

const ended = (child: ChildProcess): Promise<void> =>
  child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve()
    : new Promise((resolve) => child.once("exit", () => resolve()))

/** Starts it, and waits for its word; what it had said until then is in the error where it ends before. */
export const start = ({ args, command, cwd, isReady }: ServerCommand): Effect.Effect<ChildProcess> =>
  Effect.async((resume) => {
    const child = spawn(command, args, { cwd, stdio: ["ignore", "pipe", "ignore"] })
    const said: Array<string> = []
    // A run of tests that ends before its scopes leaves no server behind.
    const kill = () => void child.kill("SIGKILL")
    process.once("exit", kill)
    child.once("error", (error) => resume(Effect.die(error)))
    child.once("exit", (code, signal) => {
      process.off("exit", kill)
      resume(Effect.dieMessage(`${command} ended (${signal ?? code}) before it was ready:\n${said.join("\n")}`))
    })
    // Read to its end, so that the pipe never fills.
    createInterface(child.stdout!).on("line", (line) => {
      if (isReady(line)) resume(Effect.succeed(child))
      else if (said.length < 100) said.push(line)
    })
    return Effect.promise(() => {
      child.kill("SIGKILL")
      return ended(child)
    })
  })

/** Kills it at once, also where it is stopped by a signal, and waits until it is gone. */
export const kill = (child: ChildProcess): Effect.Effect<void> =>
  Effect.promise(() => {
    child.kill("SIGKILL")
    return ended(child)
  })
