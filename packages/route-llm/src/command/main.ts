/**
 * The `route-llm` command. What is imported here is loaded by every call, so it is declarations only, from modules of
 * their own rather than from packages; what a subcommand does is imported when it runs.
 *
 * Exit codes: 0 it was done; 1 it could not be done, and stderr says why; 2 it was asked for wrongly; 3 it was done, and
 * the answer is no (`status`: no provider is in service; `explain`: no provider may take the request now); 130 it was
 * ended by Ctrl-C.
 */
import * as Command from "@effect/cli/Command"
import * as ValidationError from "@effect/cli/ValidationError"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Predicate from "effect/Predicate"
import { withCompletions } from "./completions.ts"
import { dashboard } from "./dashboard.ts"
import { demo } from "./demo.ts"
import { explain } from "./explain.ts"
import { AnswerIsNo, Misused } from "./outcomes.ts"
import { withPlainConsole } from "./plainConsole.ts"
import { status } from "./status.ts"
import { printableLines } from "./terminal/style.ts"
import { validate } from "./validate.ts"

const command = Command.make("route-llm").pipe(
  Command.withDescription("Routes LLM requests over your own clients"),
  Command.withSubcommands([status, explain, validate, dashboard, demo])
)

const run = Command.run(command, { name: "route-llm", version: "0.1.0" })

/**
 * What a command fails with is written for the user: its message, without a stack, and without what others, whom it may
 * quote, would do to the terminal. Usage errors are printed already.
 */
const told = (error: unknown): Effect.Effect<void> =>
  ValidationError.isValidationError(error) || error instanceof AnswerIsNo
    ? Effect.void
    : Console.error(printableLines(String(Predicate.hasProperty(error, "message") ? error.message : error)))

const codeOf = (error: unknown): number => {
  if (error instanceof AnswerIsNo) return 3
  return ValidationError.isValidationError(error) || error instanceof Misused ? 2 : 1
}

export const main = (argv: ReadonlyArray<string>): void => {
  // Whoever reads the output may leave early, as `head` does.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1))
  }
  run(argv).pipe(
    Effect.as(0),
    Effect.catchAllCause((cause) => {
      if (Cause.isInterruptedOnly(cause)) return Effect.failCause(cause)
      const error = Cause.squash(cause)
      return Effect.as(told(error), codeOf(error))
    }),
    withCompletions(argv),
    withPlainConsole,
    Effect.provide(NodeContext.layer),
    NodeRuntime.runMain({
      disableErrorReporting: true,
      teardown: (exit, onExit) => onExit(Exit.isSuccess(exit) && typeof exit.value === "number" ? exit.value : 130)
    })
  )
}
