/**
 * One provider's ledger as a row of numbers, for a store outside this process: the layout, and how a row is taken over.
 * The store's own code keeps the rows (`@route-llm/redis`: three Lua scripts); what it answers is read here, so that
 * ranking, refusals, times and status come from the same code as in memory.
 */
import type { FailureClass } from "../../FailureClass.ts"
import { consequences } from "../../FailureClass.ts"
import type { Breaker } from "./Breaker.ts"
import { rows } from "./Meter.ts"
import type { ProviderLedger } from "./ProviderLedger.ts"

const numbered = <Name extends string>(names: ReadonlyArray<Name>): Readonly<Record<Name, number>> =>
  Object.fromEntries(names.map((name, index) => [name, index])) as Record<Name, number> // keys of these very names

const fieldNames = [
  // 1: its vendor has told something of its limits; 2: a limit was met. 3: both. 0: the words below are all initial.
  "word",
  // The numbers of the newest buckets: of a day, of the window, and of what was reserved lately.
  "dayHead",
  "head",
  "latelyHead",
  "requests",
  "input",
  "output",
  "latelyRequests",
  "latelyInput",
  "latelyOutput",
  "inFlightRequests",
  "inFlightInput",
  "inFlightOutput",
  "latencyMs",
  "latencyAtMs",
  "firstTokenMs",
  "firstTokenAtMs",
  "inputRatio",
  "inputDeviation",
  "outputMean",
  "outputDeviation",
  // The breaker: 0 closed, 1 open, 2 half-open. A ramp there is where `rampMost` is not 0.
  "circuit",
  "epoch",
  "failures",
  "calls",
  "failed",
  "resultAtMs",
  "rampUntilMs",
  "rampMost",
  "rampInFlight",
  "rampCooldownMs",
  "untilMs",
  "cooldownMs",
  // Of a half-open one.
  "probeUntilMs",
  // An open one was forced by hand.
  "forced",
  "benchedUntilMs",
  "because",
  "guessed",
  "outSinceMs",
  // 0: no call has failed yet; else one more than the number of the class.
  "lastError",
  "lastErrorAtMs",
  "dayRequests",
  "dayTokens",
  // When a shared store made the row: one that was lost and made anew is another one.
  "made"
] as const

const wordNames = [
  "told",
  "met",
  "metAtMs",
  "taken",
  "toldUsed",
  "toldTaken",
  "refill",
  "toldAtMs",
  "givenBack",
  "givenFrom",
  "foreign",
  "foreignAtMs",
  "foreignDrainMs",
  "foreignHeld",
  "foreignRate"
] as const

/** Where each field lies in the row. */
export const fields = numbered(fieldNames)

/** Where each field of a meter's word lies in it. */
export const wordFields = numbered(wordNames)

export const fieldCount = fieldNames.length
export const wordCount = wordNames.length

/** The meters that a vendor can say something of: all but the calls under way. */
export const wordRows = rows.length - 1

/** The classes of failures by number. */
export const failureClasses: ReadonlyArray<FailureClass> = Object.keys(consequences) as Array<FailureClass> // its keys

export interface ProviderRecord {
  readonly fields: ArrayLike<number>
  /** `wordRows` times `wordCount`; absent where `word` is 0. */
  readonly words?: ArrayLike<number> | undefined
  /** The cells of the windows, where they were asked for; see `RollingWindow.restore`. */
  readonly minute?: ArrayLike<number> | undefined
  readonly lately?: ArrayLike<number> | undefined
  readonly day?: ArrayLike<number> | undefined
}

type Field = (name: keyof typeof fields) => number

const breakerOf = (at: Field): Breaker => {
  const epoch = at("epoch")
  const cooldownMs = at("cooldownMs")
  const untilMs = at("untilMs")
  if (at("circuit") === 1) return { _tag: "open", epoch, untilMs, cooldownMs, forced: at("forced") === 1 }
  if (at("circuit") === 2) {
    return { _tag: "half_open", epoch, untilMs, cooldownMs, probeUntilMs: at("probeUntilMs") }
  }
  return {
    _tag: "closed",
    epoch,
    failures: at("failures"),
    calls: at("calls"),
    failed: at("failed"),
    atMs: at("resultAtMs"),
    ramp: at("rampMost") === 0 ? undefined : {
      untilMs: at("rampUntilMs"),
      most: at("rampMost"),
      inFlight: at("rampInFlight"),
      cooldownMs: at("rampCooldownMs")
    }
  }
}

/** Whether somebody has said something that only `words` hold. */
export const hasWords = (record: ArrayLike<number>): boolean => record[fields.word] !== 0

const restoreWords = (provider: ProviderLedger, words: ArrayLike<number>): void => {
  for (let row = 0; row < wordRows; row++) {
    const { foreign, state, word } = provider.meters[row]!
    const at = (name: keyof typeof wordFields) => words[row * wordCount + wordFields[name]]!
    state.told = at("told")
    state.met = at("met")
    state.metAtMs = at("metAtMs")
    word.state.taken = at("taken")
    word.state.used = at("toldUsed")
    word.state.usedTaken = at("toldTaken")
    word.state.refill = at("refill")
    word.state.atMs = at("toldAtMs")
    word.state.givenBack = at("givenBack")
    word.state.givenFrom = at("givenFrom")
    foreign.state.amount = at("foreign")
    foreign.state.atMs = at("foreignAtMs")
    foreign.state.drainMs = at("foreignDrainMs")
    foreign.state.held = at("foreignHeld") === 1
    foreign.state.rate = at("foreignRate")
  }
}

/** What a meter knows before anybody has said anything. */
const initialWord = [Infinity, Infinity, 0, 0, 0, 0, 0, -Infinity, 0, Infinity, 0, -Infinity, 1, 0, 0]

export const initialWords: ReadonlyArray<number> = rows.slice(0, wordRows).flatMap(() => initialWord)

/** Makes the provider what the row says. */
export const restore = (
  provider: ProviderLedger,
  { day, fields: row, lately, minute, words }: ProviderRecord
): void => {
  const at: Field = (name) => row[fields[name]]!
  const { windows } = provider
  windows.minute.restore({
    head: at("head"),
    sums: [at("requests"), at("input"), at("output")],
    cells: minute
  })
  windows.lately.restore({
    head: at("latelyHead"),
    sums: [at("latelyRequests"), at("latelyInput"), at("latelyOutput")],
    cells: lately
  })
  // A grant changes them at Redis only.
  if (lately === undefined) windows.lately.reconcile()
  windows.day.restore({ head: at("dayHead"), sums: [at("dayRequests"), at("dayTokens")], cells: day })
  provider.inFlightNow.requests = at("inFlightRequests")
  provider.inFlightNow.input = at("inFlightInput")
  provider.inFlightNow.output = at("inFlightOutput")
  provider.latency = { emaMs: at("latencyMs"), sampledAtMs: at("latencyAtMs") }
  provider.firstToken = { emaMs: at("firstTokenMs"), sampledAtMs: at("firstTokenAtMs") }
  provider.learned.inputRatio = at("inputRatio")
  provider.learned.inputDeviation = at("inputDeviation")
  provider.learned.outputMean = at("outputMean")
  provider.learned.outputDeviation = at("outputDeviation")
  provider.breaker = breakerOf(at)
  provider.benchedUntilMs = at("benchedUntilMs")
  provider.bench = { because: failureClasses[at("because")] ?? "rate_limit", guessed: at("guessed") === 1 }
  provider.outSinceMs = at("outSinceMs")
  const failed = failureClasses[at("lastError") - 1]
  provider.lastError = failed === undefined ? undefined : { class: failed, atMs: at("lastErrorAtMs") }
  provider.isTold = at("word") % 2 === 1
  restoreWords(provider, words ?? initialWords)
  provider.restored()
}
