/**
 * Who may take these requests? What is asked in one step of this process goes to Redis in one call: a crowd costs little
 * more than one of them, and one alone does not wait for others.
 */
import type { Demand, ProviderSpec, Reservation, RouteReason } from "@route-llm/core"
import type { ProviderLedger } from "@route-llm/core/kernel"
import type { Instance } from "./Instance.ts"
import { type Reply, StoreFailure } from "./Store.ts"
import { encodeProvider, firstProviderKey, type RowReader, RowWriter } from "./wire.ts"

/** Redis does nothing else while it answers one call. */
const mostInOneCall = 64

/** A provider, and what the request takes there. */
export interface Candidate {
  readonly ledger: ProviderLedger
  readonly spec: ProviderSpec
  /** In the caller's list. */
  readonly place: number
  readonly input: number
  readonly output: number
}

export interface Question {
  readonly demand: Demand
  /** In the order in which they are tried. */
  readonly candidates: ReadonlyArray<Candidate>
  readonly lease: string
  readonly mayBeLast: boolean
  /** What the mirror holds for it until it is answered. */
  readonly held: Reservation | undefined
  /** `undefined`: nobody may take the request. */
  readonly done: (answer: Reservation | StoreFailure | undefined) => void
}

interface Call {
  /** The providers, each as all of its questions have it, by their numbers in the call. */
  readonly numbers: ReadonlyMap<ProviderSpec, number>
  readonly sessions: ReadonlyArray<string>
  readonly questions: ReadonlyArray<Question>
}

/** As few calls as there may be: one list of providers each. */
const callsOf = ({ with_: { keys } }: Instance, questions: ReadonlyArray<Question>): ReadonlyArray<Call> => {
  const calls: Array<Call> = []
  let numbers = new Map<ProviderSpec, number>()
  let taken = new Set<string>()
  let some: Array<Question> = []
  const close = () => {
    if (some.length === 0) return
    const sessions = [...new Set(some.flatMap(({ demand: { sessionId } }) => sessionId ?? []))]
    calls.push({ numbers, sessions, questions: some })
    numbers = new Map()
    taken = new Set()
    some = []
  }
  const isOther = ({ spec }: Candidate) => !numbers.has(spec) && taken.has(keys.provider(spec))
  for (const question of questions) {
    if (some.length >= mostInOneCall || question.candidates.some(isOther)) close()
    for (const { spec } of question.candidates) {
      if (numbers.has(spec)) continue
      numbers.set(spec, numbers.size + 1)
      taken.add(keys.provider(spec))
    }
    some.push(question)
  }
  close()
  return calls
}

/** See `lua/reserve.ts`. */
const encode = (instance: Instance, { numbers, questions, sessions }: Call, full: boolean): Buffer => {
  const sizes = questions.map(({ candidates }) => 5 + 4 * candidates.length)
  const row = new RowWriter(3 + 8 * numbers.size + sizes.reduce((sum, size) => sum + size))
  row.doubles(instance.deadlineMs, instance.batches.taken, full ? 1 : 0)
  for (const spec of numbers.keys()) row.bytes(encodeProvider(spec))
  const firstPin = firstProviderKey + numbers.size
  for (const { candidates, demand, mayBeLast } of questions) {
    row.doubles(
      demand.lane === "high" ? 0 : 1,
      mayBeLast ? 1 : 0,
      demand.waitMs > 0 ? 1 : 0,
      demand.sessionId === undefined ? 0 : firstPin + sessions.indexOf(demand.sessionId),
      candidates.length
    )
    for (const { input, output, place, spec } of candidates) row.doubles(numbers.get(spec)!, input, output, place)
  }
  return row.buffer
}

const send = (instance: Instance, call: Call): void => {
  const { numbers, questions, sessions } = call
  const full = instance.mirror.line.length > 0
  instance.run(
    "reserve",
    [...numbers.keys()],
    sessions.map(instance.with_.keys.pin),
    [encode(instance, call, full), ...questions.map(({ lease }) => lease)],
    (answer) => {
      for (const { held } of questions) instance.mirror.withdraw(held)
      const answers = answer._tag === "StoreFailure" ? answer : takeIn(instance, call, full, answer.reply)
      questions.forEach(({ done }, index) => done(answers instanceof StoreFailure ? answers : answers[index]))
    }
  )
}

const codes = { late: 1, lost: 2, dead: 3 }
const ways = { lastResort: 1, pinned: 2 }

/** What Redis says of one request. */
interface Answer {
  /** Who was chosen, among the call's providers, from 1; 0: nobody. */
  readonly chosen: number
  readonly epoch: number
  readonly how: number
  readonly countable: Reservation["countable"]
}

const answerOf = (reader: RowReader): Answer => {
  const [chosen, epoch, how] = [reader.double(), reader.double(), reader.double()]
  if (reader.double() === 0) return { chosen, epoch, how, countable: undefined }
  const rows = Array.from({ length: 6 }, () => ({ own: reader.double(), taken: reader.double() }))
  // Nobody tells how many calls are under way.
  return { chosen, epoch, how, countable: [...rows, { own: 0, taken: 0 }] }
}

const takeIn = (
  instance: Instance,
  { numbers, questions }: Call,
  full: boolean,
  reply: Reply
): ReadonlyArray<Reservation | undefined> | StoreFailure => {
  const reader = instance.reader(reply)
  const { nowMs } = instance.head(reader)
  const [code, lastResortMs] = [reader.double(), reader.double()]
  if (code === codes.late) return new StoreFailure({ reason: "timeout", detail: "it was held up for too long" })
  if (code === codes.lost) return new StoreFailure({ reason: "lost", detail: "it has lost the state" })
  if (code === codes.dead) return new StoreFailure({ reason: "refused", detail: "this instance was taken for dead" })
  const { ledger } = instance.mirror
  const all = [...numbers.keys()]
  const decided = questions.map((question) => {
    const answer = answerOf(reader)
    const candidate = question.candidates.find(({ spec }) => spec === all[answer.chosen - 1])
    return { answer, question, candidate, ...reasonOf(instance, question, candidate, answer.how) }
  })
  ledger.lastResortMs = lastResortMs
  instance.load(reply, all, full || decided.some(({ candidate }) => candidate === undefined))
  instance.tell(reply, 2)
  return decided.map(({ answer, candidate, explanation, question: { demand, lease }, reason }) => {
    if (candidate === undefined) return undefined
    const { spec } = candidate
    const reservation: Reservation = {
      provider: spec.name,
      inputTokens: candidate.input,
      outputTokens: candidate.output,
      estimatedInputTokens: demand.inputTokens,
      outputCharged: spec.counting.chargesMaxTokens && demand.maxTokens !== undefined,
      reservedAtMs: nowMs,
      epoch: answer.epoch,
      sessionId: demand.sessionId,
      lastResort: answer.how === ways.lastResort,
      streams: demand.streams,
      hasAlternative: ledger.hasAlternative(candidate.ledger, demand),
      reason,
      explanation,
      countable: answer.countable
    }
    instance.leases.set(reservation, { id: lease, spec, born: instance.born })
    instance.record(reservation)
    return reservation
  })
}

/** As it was ranked: with what was known before this answer, and none of it taken. */
const reasonOf = (
  { mirror: { ledger } }: Instance,
  { demand }: Question,
  candidate: Candidate | undefined,
  how: number
): Pick<Reservation, "reason" | "explanation"> => {
  const reason: RouteReason | undefined = candidate === undefined
    ? undefined
    : how === ways.lastResort
    ? "last_resort"
    : ledger.reason(candidate.ledger, demand, how === ways.pinned)
  return {
    reason,
    explanation: demand.explain === true ? ledger.explained(demand, candidate?.ledger, reason) : undefined
  }
}

/** Sends them, each call at once. */
export const sendQuestions = (instance: Instance, questions: ReadonlyArray<Question>): void => {
  for (const call of callsOf(instance, questions)) send(instance, call)
}
