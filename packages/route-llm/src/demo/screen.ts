import { Effect, Ref, type Scope } from "effect"

/** Where progress is shown: redrawn in place on a terminal, a line each tenth on anything else. */
export interface Screen {
  readonly draw: (title: string, share: number, table: string) => Effect.Effect<void>
  /** Ends the drawing; what follows is printed below it. */
  readonly close: Effect.Effect<void>
}

const nothing: Screen = { draw: () => Effect.void, close: Effect.void }

const write = (text: string): Effect.Effect<void> => Effect.sync(() => void process.stdout.write(text))

const up = (lines: number): string => lines === 0 ? "" : `\u001b[${lines}A\r\u001b[J`
const hideCursor = "\u001b[?25l"
const showCursor = "\u001b[?25h"

const onTerminal: Effect.Effect<Screen, never, Scope.Scope> = Effect.gen(function*() {
  const drawn = yield* Ref.make(0)
  yield* Effect.acquireRelease(write(hideCursor), () => write(showCursor))
  return {
    draw: (title, _share, table) =>
      Effect.gen(function*() {
        const text = `${title}\n\n${table}\n`
        const before = yield* Ref.getAndSet(drawn, text.split("\n").length - 1)
        yield* write(up(before) + text)
      }),
    close: Effect.flatMap(Ref.getAndSet(drawn, 0), (lines) => write(up(lines)))
  }
})

const onPipe: Effect.Effect<Screen> = Effect.map(Ref.make(""), (last) => ({
  draw: (title, share) => {
    const line = `${title.split(":")[0]}: ${Math.floor(share * 10) * 10} %\n`
    return Effect.flatMap(Ref.getAndSet(last, line), (before) => before === line ? Effect.void : write(line))
  },
  close: Effect.void
}))

export const openScreen = (visible: boolean): Effect.Effect<Screen, never, Scope.Scope> =>
  !visible ? Effect.succeed(nothing) : process.stdout.isTTY === true ? onTerminal : onPipe
