import { Duration, Effect, type Scope } from "effect"
import { execFile, spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, watch, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"

export const hasTmux = spawnSync("tmux", ["-V"]).status === 0
if (!hasTmux && process.env["REQUIRE_TMUX"] === "1") throw new Error("REQUIRE_TMUX is set, and there is no tmux")
if (!hasTmux) console.warn("skipped: the tests in a real terminal need tmux (apt-get install tmux)")

/** What the terminal is in: its other screen, and whether the cursor is to be seen. */
export interface Flags {
  readonly alternate: boolean
  readonly cursor: boolean
}

export interface Terminal {
  /** The shell's process. */
  readonly pane: number
  /** Types text, and then Enter. */
  readonly enter: (line: string) => Effect.Effect<void>
  /** Presses a key by tmux' name of it, such as `C-c`. */
  readonly press: (key: string) => Effect.Effect<void>
  readonly resize: (columns: number, rows: number) => Effect.Effect<void>
  readonly flags: Effect.Effect<Flags>
  /** Looks until it holds of what is to be seen, a line a row, for 30 s at most; succeeds with that. */
  readonly until: (holds: (screen: string, flags: Flags) => boolean) => Effect.Effect<string>
  /** Every byte that has been written to the terminal. */
  readonly written: Effect.Effect<string>
  /** Reads that until it holds of it, for 30 s at most. */
  readonly untilWritten: (holds: (written: string) => boolean) => Effect.Effect<string>
}

const patience = Duration.seconds(30)

/**
 * Looks again whenever something has been written to the terminal: what is to be seen changes by that alone, and tmux has
 * drawn it by then.
 */
const watching = (log: string) =>
  Effect.gen(function*() {
    let changed = () => {}
    yield* Effect.acquireRelease(
      Effect.sync(() => watch(log, () => changed())),
      (watcher) => Effect.sync(() => watcher.close())
    )
    return <A>(look: Effect.Effect<A>, holds: (seen: A) => boolean): Effect.Effect<A> => {
      let last: A | undefined
      const looking = Effect.gen(function*() {
        for (;;) {
          // Before it looks, so that nothing is missed meanwhile.
          const change = new Promise<void>((resolve) => changed = resolve)
          last = yield* look
          if (holds(last)) return last
          yield* Effect.promise(() => change)
        }
      })
      const tooLate = () => new Error(`not within 30 s: ${JSON.stringify(last)}`)
      return Effect.orDie(Effect.timeoutFail(looking, { duration: patience, onTimeout: tooLate }))
    }
  })

let opened = 0

/** A shell in a terminal of its own, which is gone with the scope. */
export const openTerminal = (columns = 120, rows = 30): Effect.Effect<Terminal, never, Scope.Scope> =>
  Effect.gen(function*() {
    const folder = mkdtempSync(join(tmpdir(), "route-llm-terminal-"))
    const socket = `route-llm-${process.pid}-${++opened}`
    const tmux = (...args: ReadonlyArray<string>): Effect.Effect<string> =>
      Effect.promise(async () => {
        const { stdout } = await promisify(execFile)("tmux", ["-L", socket, "-f", "/dev/null", ...args])
        return stdout
      })
    const log = join(folder, "written")
    writeFileSync(log, "")
    const shell = "exec env -u NO_COLOR -u FORCE_COLOR PS1='> ' bash --norc --noprofile -i"
    yield* Effect.acquireRelease(
      tmux("new-session", "-d", "-x", `${columns}`, "-y", `${rows}`, shell, ";", "pipe-pane", `cat > ${log}`),
      () => Effect.zipRight(tmux("kill-server"), Effect.sync(() => rmSync(folder, { recursive: true })))
    )
    const eventually = yield* watching(log)
    const look = Effect.map(
      tmux("display-message", "-p", "#{alternate_on} #{cursor_flag}", ";", "capture-pane", "-p"),
      (text) => {
        const [, alternate, cursor, screen = ""] = /^(.) (.)\n(.*)$/s.exec(text) ?? []
        return { screen, flags: { alternate: alternate === "1", cursor: cursor === "1" } }
      }
    )
    const written = Effect.sync(() => readFileSync(log, "utf8"))
    return {
      pane: Number(yield* tmux("display-message", "-p", "#{pane_pid}")),
      enter: (line) => Effect.zipRight(tmux("send-keys", "-l", line), tmux("send-keys", "Enter")),
      press: (key) => tmux("send-keys", key),
      resize: (width, height) => tmux("resize-window", "-x", `${width}`, "-y", `${height}`),
      flags: Effect.map(look, ({ flags }) => flags),
      until: (holds) =>
        Effect.map(eventually(look, ({ flags, screen }) => holds(screen, flags)), ({ screen }) => screen),
      written,
      untilWritten: (holds) => eventually(written, holds)
    }
  })
