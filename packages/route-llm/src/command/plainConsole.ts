import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import type { WriteStream } from "node:tty"
import { stripVTControlCharacters } from "node:util"

/** Whether a stream shows colours: a terminal that has them, unless `NO_COLOR` is set; see https://no-color.org. */
export const hasColors = (stream: NodeJS.WriteStream): boolean =>
  stream.isTTY === true && (stream as WriteStream).hasColors()

const plain = (args: ReadonlyArray<unknown>): ReadonlyArray<unknown> =>
  args.map((arg) => typeof arg === "string" ? stripVTControlCharacters(arg) : arg)

/** Colours and styles are taken off what is printed where nobody would see them: @effect/cli always writes them. */
export const withPlainConsole = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Console.consoleWith((console) => {
    const shown = (stream: NodeJS.WriteStream) => (args: ReadonlyArray<unknown>) =>
      hasColors(stream) ? args : plain(args)
    const [out, err] = [shown(process.stdout), shown(process.stderr)]
    return Effect.withConsole(effect, {
      ...console,
      log: (...args) => console.log(...out(args)),
      error: (...args) => console.error(...err(args))
    })
  })
