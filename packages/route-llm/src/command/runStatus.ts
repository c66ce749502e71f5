import type { StatusReport } from "@route-llm/core"
import { Clock, Console, Duration, Effect, Either, Ref, Schedule, Stream } from "effect"
import { AnswerIsNo, type Failed } from "./outcomes.ts"
import { hasColors } from "./plainConsole.ts"
import type { Source } from "./Source.ts"
import { inService, statusLines } from "./statusView.ts"
import { span } from "./terminal/amounts.ts"
import { clip, painted } from "./terminal/layout.ts"
import { openLiveScreen, type Size } from "./terminal/LiveScreen.ts"
import { paintWith, printable, printableJson, printableLines, type Style } from "./terminal/style.ts"

/** As wide as the terminal, with bars; on anything else as wide as it gets, without. */
const lines = (report: StatusReport): ReadonlyArray<string> => {
  const { columns, isTTY } = process.stdout
  return statusLines(report, {
    width: isTTY === true ? columns : Infinity,
    bars: isTTY === true,
    paint: paintWith(hasColors(process.stdout))
  })
}

/** Prints the report; fails with `AnswerIsNo` where no provider is in service. */
export const once = (source: Source, json: boolean) =>
  Effect.gen(function*() {
    const report = yield* source.report
    yield* Console.log(json ? printableJson(report, 2) : lines(report).join("\n"))
    if (!report.providers.some(inService)) return yield* new AnswerIsNo()
  })

/** For a pipe or a file: report after report, and what failed between them on stderr. */
const follow = (source: Source, json: boolean, pause: Duration.Duration) =>
  source.report.pipe(
    Effect.flatMap((report) =>
      Console.log(
        json ? printableJson(report) : `${new Date(report.timestamp).toISOString()}\n${lines(report).join("\n")}\n`
      )
    ),
    Effect.catchAll(({ message }) => Console.error(printableLines(message))),
    Effect.repeat(Schedule.spaced(pause))
  )

interface Seen {
  readonly report?: { readonly value: StatusReport; readonly atMs: number }
  /** Why there is none newer. */
  readonly problem?: string
}

const paint = paintWith(hasColors(process.stdout))

/** Later than this after its time an answer is late. */
const grace = Duration.seconds(1)

interface Moment {
  readonly nowMs: number
  /** Between two looks. */
  readonly pause: Duration.Duration
}

/** Why what is known is not new, if it is not. */
const whyOld = ({ problem, report }: Seen, { nowMs, pause }: Moment): string | undefined => {
  const isLate = report !== undefined && nowMs - report.atMs > Duration.toMillis(Duration.sum(pause, grace))
  return problem ?? (isLate ? "it has not answered yet" : undefined)
}

/** What is on the screen: where it is from, what is known, and how old that is where it is not new. */
const frame = (source: Source, seen: Seen, moment: Moment, { columns: width, rows }: Size): ReadonlyArray<string> => {
  const { report } = seen
  const { nowMs } = moment
  const line = (style: Style, text: string) => painted(clip([[style, ` ${text}`]], width), paint)
  const why = whyOld(seen, moment)
  const age = report === undefined ? "" : `, as of ${span(nowMs - report.atMs)} ago`
  const above = [
    line("dim", `${printable(source.name)} · ${new Date(nowMs).toTimeString().slice(0, 8)} · q quits`),
    ...(why === undefined ? [] : [line("bad", `stale${age}: ${printable(why)}`)]),
    ""
  ]
  if (report === undefined) return why === undefined ? [...above, line("dim", "asking …")] : above
  // The screen says in its last line how many are left out.
  const room = rows - above.length
  return [...above, ...statusLines(report.value, { width, rows: room, bars: true, paint })]
}

/** On a terminal: redrawn in place after each look, at once where the terminal changes, and each second while it is old. */
const live = (source: Source, pause: Duration.Duration) =>
  Effect.gen(function*() {
    const screen = yield* openLiveScreen
    const seen = yield* Ref.make<Seen>({})
    const draw = Effect.gen(function*() {
      const [now, known] = [yield* Clock.currentTimeMillis, yield* Ref.get(seen)]
      yield* screen.draw((size) => frame(source, known, { nowMs: now, pause }, size))
    })
    const drawOld = Effect.gen(function*() {
      const [nowMs, known] = [yield* Clock.currentTimeMillis, yield* Ref.get(seen)]
      if (whyOld(known, { nowMs, pause }) !== undefined) yield* draw
    })
    const look = Effect.gen(function*() {
      const asked: Either.Either<StatusReport, Failed> = yield* Effect.either(source.report)
      const atMs = yield* Clock.currentTimeMillis
      yield* Ref.update(seen, (before): Seen =>
        Either.match(asked, {
          onLeft: ({ message }) => ({ ...before, problem: message }),
          onRight: (value) => ({ report: { value, atMs } })
        }))
      yield* draw
    })
    yield* draw
    yield* Effect.forkScoped(Stream.runForEach(screen.stale, () => draw))
    yield* Effect.forkScoped(Effect.repeat(drawOld, Schedule.spaced("1 second")))
    yield* Effect.race(Effect.repeat(look, Schedule.spaced(pause)), screen.quit)
  }).pipe(Effect.scoped)

/** Looks until it is ended. An application that does not answer is asked again. */
export const watch = (source: Source, { json, seconds }: { readonly seconds: number; readonly json: boolean }) =>
  json || process.stdout.isTTY !== true
    ? follow(source, json, Duration.seconds(seconds))
    : live(source, Duration.seconds(seconds))
