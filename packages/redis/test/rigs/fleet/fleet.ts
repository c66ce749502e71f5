/**
 * The vendors and the workers of a fleet, each a process of its own, as the test that drives them sees them.
 */
import { Effect, type Scope } from "effect"
import { build } from "esbuild"
import { type ChildProcess, fork } from "node:child_process"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { kill, temporaryFolder } from "../process.ts"
import type {
  Arrival,
  Asked,
  Ended,
  VendorsHear,
  VendorsSay,
  WorkerHears,
  WorkerOptions,
  WorkerSays
} from "./protocol.ts"

const beside = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/**
 * The folder of the fleet's programs, each in one file: eight processes that compile and look for hundreds of modules
 * would be most of what a test of theirs does.
 */
export const programs: Effect.Effect<string, never, Scope.Scope> = Effect.tap(
  temporaryFolder,
  (outdir) =>
    Effect.promise(() =>
      build({
        entryPoints: ["worker.ts", "vendorProcess.ts"].map(beside),
        bundle: true,
        platform: "node",
        target: "node20",
        format: "cjs",
        outExtension: { ".js": ".cjs" },
        outdir,
        // As the tests have it: the packages' sources.
        tsconfig: beside("../../../../../tsconfig.base.json"),
        logLevel: "error"
      })
    )
)

const forked = (file: string, argument: string): Effect.Effect<ChildProcess, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => fork(file, [argument], { execArgv: [], stdio: ["ignore", "ignore", "inherit", "ipc"] })),
    kill
  )

/** The first answer to `send` that is wanted; dies where the process ends before. */
const hear = <Said extends { readonly _tag: string }, Wanted extends Said>(
  child: ChildProcess,
  isWanted: (said: Said) => said is Wanted,
  send: () => void = () => {}
): Effect.Effect<Wanted> =>
  Effect.async((resume) => {
    const onMessage = (said: Said) => {
      if (isWanted(said)) done(Effect.succeed(said))
    }
    const onExit = (code: number | null, signal: string | null) =>
      done(Effect.dieMessage(`a process of the fleet ended (${signal ?? code}) before it had answered`))
    const leave = () => {
      child.off("message", onMessage)
      child.off("exit", onExit)
    }
    const done = (result: Effect.Effect<Wanted>) => {
      leave()
      resume(result)
    }
    child.on("message", onMessage)
    child.on("exit", onExit)
    send()
    return Effect.sync(leave)
  })

const tagged =
  <Said extends { readonly _tag: string }, Tag extends Said["_tag"]>(tag: Tag) =>
  (said: Said): said is Extract<Said, { readonly _tag: Tag }> => said._tag === tag

type Counted = Omit<Extract<VendorsSay, { readonly _tag: "Counted" }>, "_tag">

export interface Vendors {
  readonly url: string
  /** Waits, without polling, until the vendors have seen this. */
  readonly awaitCounted: (isMet: (counted: Counted) => boolean) => Effect.Effect<void>
  /** Every call that there was. */
  readonly arrivals: Effect.Effect<ReadonlyArray<Arrival>>
}

/** `folder`: of the `programs`. */
export const startVendors = (folder: string): Effect.Effect<Vendors, never, Scope.Scope> =>
  Effect.gen(function*() {
    const child = yield* forked(join(folder, "vendorProcess.cjs"), "")
    const send = (message: VendorsHear) => () => void child.send(message)
    const { url } = yield* hear(child, tagged<VendorsSay, "Ready">("Ready"))
    return {
      url,
      awaitCounted: (isMet) =>
        Effect.asVoid(hear(
          child,
          (said: VendorsSay): said is Extract<VendorsSay, { readonly _tag: "Counted" }> =>
            said._tag === "Counted" && isMet(said),
          send({ _tag: "Watch" })
        )),
      arrivals: Effect.map(
        hear(child, tagged<VendorsSay, "Seen">("Seen"), send({ _tag: "Tell" })),
        ({ arrivals }) => arrivals
      )
    }
  })

export interface Worker {
  readonly name: string
  readonly load: (load: { readonly callers: number; readonly timeoutMs: number }) => Effect.Effect<void>
  /** Ends the load; answers once every request of it has ended. */
  readonly stop: Effect.Effect<Extract<WorkerSays, { readonly _tag: "Report" }>>
  /** One request, to its end. */
  readonly ask: (asked: Asked, timeoutMs: number) => Effect.Effect<Ended>
  /** `kill -9`, gone when the effect succeeds. */
  readonly kill: Effect.Effect<void>
}

/** `folder`: of the `programs`. */
export const startWorker = (folder: string, options: WorkerOptions): Effect.Effect<Worker, never, Scope.Scope> =>
  Effect.gen(function*() {
    const child = yield* forked(join(folder, "worker.cjs"), JSON.stringify(options))
    const send = (message: WorkerHears) => () => void child.send(message)
    yield* hear(child, tagged<WorkerSays, "Ready">("Ready"))
    return {
      name: options.name,
      load: (load) => Effect.sync(send({ _tag: "Load", ...load })),
      stop: hear(child, tagged<WorkerSays, "Report">("Report"), send({ _tag: "Stop" })),
      ask: (asked, timeoutMs) =>
        Effect.map(
          hear(
            child,
            (said: WorkerSays): said is Extract<WorkerSays, { readonly _tag: "Ended" }> =>
              said._tag === "Ended" && said.ended.id === asked.id,
            send({ _tag: "Ask", asked, timeoutMs })
          ),
          ({ ended }) => ended
        ),
      kill: kill(child)
    }
  })
