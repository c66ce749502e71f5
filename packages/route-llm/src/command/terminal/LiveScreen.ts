/**
 * A terminal's second screen, drawn in place: whoever leaves it finds the first as it was. A frame is written in one
 * piece, between the marks of a synchronized update, line over line without clearing, so that nothing flickers also
 * where a terminal does not know those marks.
 */
import { Deferred, Effect, Queue, type Scope, Stream } from "effect"
import { writeSync } from "node:fs"

/** In cells. */
export interface Size {
  readonly columns: number
  readonly rows: number
}

export interface LiveScreen {
  /** Draws the lines, as many as there is room for. */
  readonly draw: (
    frame: (size: Size) => ReadonlyArray<string>
  ) => Effect.Effect<void>
  /** Whenever the picture is no longer what was drawn: another size, or back from the background. */
  readonly stale: Stream.Stream<void>
  /** Ends when somebody presses `q`. */
  readonly quit: Effect.Effect<void>
}

const esc = "\u001b["
const enter = `${esc}?1049h${esc}?25l${esc}?7l`
const leave = `${esc}?7h${esc}?25h${esc}?1049l`
const begin = `${esc}?2026h${esc}H`
const end = `${esc}J${esc}?2026l`
const toLineEnd = `${esc}K`

const ctrlC = "\u0003"
const ctrlZ = "\u001a"

const write = (text: string): void => void process.stdout.write(text)

/** Ends where `process.exit` is called or an error is thrown past everything: what is written then must not wait. */
const leaveNow = (): void => void writeSync(process.stdout.fd, leave)

const setRaw = (raw: boolean): void => {
  if (process.stdin.isTTY !== true) return
  process.stdin.setRawMode(raw)
  if (raw) process.stdin.resume()
  else process.stdin.pause()
}

const show = (): void => {
  process.on("exit", leaveNow)
  setRaw(true)
  write(enter)
}

const hide = (): void => {
  write(leave)
  setRaw(false)
  process.off("exit", leaveNow)
}

const frameText = (lines: ReadonlyArray<string>, rows: number): string => {
  const shown = lines.length <= rows ? lines : [...lines.slice(0, rows - 1), ` … ${lines.length - rows + 1} more lines`]
  return begin + shown.map((line) => line + toLineEnd).join("\r\n") + end
}

/** Off the screen, stopped like any program by Ctrl-Z, and on it again when the shell brings it back. */
const suspend = (resumed: () => void): void => {
  // There is no such thing there.
  if (process.platform === "win32") return
  hide()
  process.once("SIGCONT", () => {
    show()
    resumed()
  })
  // To the whole group, as the terminal itself would: whoever started this process stops with it.
  process.kill(0, "SIGTSTP")
}

/** The terminal's other screen, until the scope closes. Ctrl-C is what it is everywhere: an interrupt. */
export const openLiveScreen: Effect.Effect<LiveScreen, never, Scope.Scope> = Effect.gen(function*() {
  const quit = yield* Deferred.make<void>()
  const stale = yield* Queue.sliding<void>(1)
  const redraw = () => void stale.unsafeOffer(undefined)
  const pressed = (keys: Buffer): void => {
    for (const key of keys.toString()) {
      if (key === "q") Deferred.unsafeDone(quit, Effect.void)
      else if (key === ctrlC) process.kill(process.pid, "SIGINT")
      else if (key === ctrlZ) suspend(redraw)
    }
  }
  // A terminal that is closed sends this, and nobody is left to press a key.
  const hungUp = (): void => void process.kill(process.pid, "SIGTERM")
  yield* Effect.acquireRelease(
    Effect.sync(() => {
      show()
      process.stdin.on("data", pressed)
      process.stdout.on("resize", redraw)
      process.once("SIGHUP", hungUp)
    }),
    () =>
      Effect.sync(() => {
        process.off("SIGHUP", hungUp)
        process.stdout.off("resize", redraw)
        process.stdin.off("data", pressed)
        hide()
      })
  )
  return {
    draw: (frame) =>
      Effect.sync(() => {
        const { columns = 80, rows = 24 } = process.stdout
        // Erasing the rest of a line that is full would take its last sign.
        write(frameText(frame({ columns: columns - 1, rows }), rows))
      }),
    stale: Stream.fromQueue(stale),
    quit: Deferred.await(quit)
  }
})
