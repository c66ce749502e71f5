import { Console, Effect } from "effect"
import { serveDashboard } from "../dashboard/serveDashboard.ts"
import { openSource, type Sought } from "./Source.ts"

interface Listening {
  readonly host: string | undefined
  readonly port: number | undefined
}

/** Serves the dashboard of what is sought until it is interrupted. */
export const run = (sought: Sought, listening: Listening) =>
  Effect.gen(function*() {
    const source = yield* openSource(sought)
    const address = yield* serveDashboard({
      ...listening,
      setup: { title: source.name },
      routes: yield* source.routes
    })
    yield* Console.log(`The dashboard of ${source.name} is on ${address}. Ctrl-C ends it.`)
    return yield* Effect.never
  })
