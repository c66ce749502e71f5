// Draws, and then throws where nobody catches it.
import { Effect } from "effect"
import { openLiveScreen } from "../../src/command/terminal/LiveScreen.ts"

const program = Effect.gen(function*() {
  const screen = yield* openLiveScreen
  yield* screen.draw(() => ["a frame before the fall"])
  setImmediate(() => {
    throw new Error("it fell over")
  })
  return yield* Effect.never
})

Effect.runFork(Effect.scoped(program))
