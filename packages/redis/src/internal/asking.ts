/**
 * One request's question to Redis: who of these may take it? One round trip; two where there are more than sixteen
 * candidates and none of the best sixteen has room.
 */
import type { Decision, Demand, Reservation } from "@route-llm/core"
import type { ProviderLedger } from "@route-llm/core/kernel"
import { Effect } from "effect"
import { unusedItem } from "./Batch.ts"
import type { Instance } from "./Instance.ts"
import { type Reply, StoreFailure } from "./Store.ts"
import { encodeCandidates, type RowReader } from "./wire.ts"

/** `Away`: Redis has not answered, or its answer is not to be trusted. */
export type Asked = Decision | { readonly _tag: "Away" }

const away: Asked = { _tag: "Away" }

/** Candidates that are asked at once; a session's provider may be any, so with a session all are. */
const shortList = 16

const codes = { granted: 1, late: 2, lost: 3 }
const ways = { lastResort: 1, pinned: 2 }

interface Question {
  readonly demand: Demand
  readonly candidates: ReadonlyArray<ProviderLedger>
  /** What each needs, as it was sent. */
  readonly needs: ReadonlyArray<{ readonly input: number; readonly output: number }>
  readonly lease: string
  /** The last question: nobody else is left to ask. */
  readonly isLast: boolean
  /** Somebody waits, so what rolls out when is of interest. */
  readonly full: boolean
}

const send = (instance: Instance, question: Question, answered: (reply: Reply | StoreFailure) => void): void => {
  const { candidates, demand, full, isLast, lease } = question
  const { id, keys } = instance.with_
  const places = new Map(instance.mirror.specs.map(({ name }, index) => [name, index]))
  const flags = [
    demand.lane !== "high",
    full,
    isLast && demand.lastResort !== false,
    demand.waitMs > 0,
    demand.sessionId !== undefined
  ]
  instance.run(
    "reserve",
    [
      keys.meta,
      keys.leases(id),
      keys.waiting,
      ...candidates.map(({ spec }) => keys.provider(spec)),
      ...demand.sessionId === undefined ? [] : [keys.pin(demand.sessionId)]
    ],
    [
      id,
      lease,
      instance.deadline,
      flags.map((flag) => flag ? "1" : "0").join(""),
      encodeCandidates(candidates, places),
      String(instance.born),
      ...candidates.map(({ name }) => name)
    ],
    (answer) => answered(answer._tag === "StoreFailure" ? answer : answer.reply)
  )
}

/** The vendor's count as it should find it, where it tells one. */
const countableOf = (reader: RowReader): Reservation["countable"] => {
  if (reader.isDone) return undefined
  const rows = Array.from({ length: 6 }, () => ({ own: reader.double(), taken: reader.double() }))
  // Nobody tells how many calls are under way.
  return [...rows, { own: 0, taken: 0 }]
}

/** Takes the answer in; `undefined`: nobody may take the request. */
const takeIn = (instance: Instance, question: Question, reply: Reply): Reservation | "late" | "lost" | undefined => {
  const { candidates, demand, full, lease, needs } = question
  const reader = instance.reader(reply)
  const { nowMs } = instance.head(reader)
  const [code, chosen, epoch, how, lastResortMs] = [
    reader.double(),
    reader.double(),
    reader.double(),
    reader.double(),
    reader.double()
  ]
  if (code === codes.late) return "late"
  if (code === codes.lost) return "lost"
  const { ledger } = instance.mirror
  const candidate = code === codes.granted ? candidates[chosen - 1] : undefined
  const reason = candidate === undefined
    ? undefined
    : how === ways.lastResort
    ? "last_resort" as const
    : ledger.reason(candidate, demand, how === ways.pinned)
  // As it was ranked: with what was known before this answer, and none of it taken.
  const explanation = demand.explain === true ? ledger.explained(demand, candidate, reason) : undefined
  ledger.lastResortMs = lastResortMs
  instance.load(reader, candidates.map(({ spec }) => spec), full || code !== codes.granted)
  instance.tell(reply, 1)
  if (candidate === undefined) return undefined
  const { spec } = candidate
  const { input, output } = needs[chosen - 1]!
  const reservation: Reservation = {
    provider: spec.name,
    inputTokens: input,
    outputTokens: output,
    estimatedInputTokens: demand.inputTokens,
    outputCharged: spec.counting.chargesMaxTokens && demand.maxTokens !== undefined,
    reservedAtMs: nowMs,
    epoch,
    sessionId: demand.sessionId,
    lastResort: how === ways.lastResort,
    streams: demand.streams,
    hasAlternative: ledger.hasAlternative(candidate, demand),
    reason,
    explanation,
    countable: countableOf(reader)
  }
  instance.leases.set(reservation, { id: lease, spec, born: instance.born })
  instance.record(reservation)
  return reservation
}

/** `held`: what the line has taken for it here. */
export const ask = (instance: Instance, demand: Demand, taken: Reservation | undefined): Effect.Effect<Asked> =>
  Effect.async((resume) => {
    const { mirror } = instance
    if (instance.phase === "away") {
      mirror.withdraw(taken)
      return resume(Effect.succeed(away))
    }
    // What settlements have freed is known to Redis before this is.
    instance.flush()
    const { candidates, held } = mirror.quote(demand, taken, instance.nowMs)
    const end = (asked: Asked) => resume(Effect.succeed(asked))

    const refuse = () => {
      mirror.follow(mirror.specs, instance.nowMs)
      end(mirror.ledger.refused(demand))
    }

    const fail = (lease: string, failure: StoreFailure) => {
      instance.batches.add(unusedItem(lease, instance.born))
      instance.onFailure(failure)
      end(away)
    }

    const askSome = (some: ReadonlyArray<ProviderLedger>, rest: ReadonlyArray<ProviderLedger>) => {
      const question: Question = {
        demand,
        candidates: some,
        needs: some.map(({ needsInput, needsOutput }) => ({ input: needsInput, output: needsOutput })),
        lease: instance.nextId(),
        isLast: rest.length === 0 && (some === candidates || mirror.ledger.lastResortAtMs(demand) < Infinity),
        full: mirror.line.length > 0
      }
      send(instance, question, (reply) => {
        mirror.withdraw(held)
        if (reply instanceof StoreFailure) return fail(question.lease, reply)
        const answer = takeIn(instance, question, reply)
        if (answer === "late") {
          return fail(question.lease, new StoreFailure({ reason: "timeout", detail: "it was held up for too long" }))
        }
        if (answer === "lost") {
          return fail(question.lease, new StoreFailure({ reason: "lost", detail: "it has lost the state" }))
        }
        if (answer !== undefined) return end({ _tag: "Granted", reservation: answer })
        if (rest.length > 0) return askRest(rest)
        refuse()
      })
    }

    const askRest = (rest: ReadonlyArray<ProviderLedger>) => {
      mirror.follow(mirror.specs, instance.nowMs)
      for (const provider of rest) provider.quote(demand)
      askSome(rest, [])
    }

    if (candidates.length === 0) {
      mirror.withdraw(held)
      return refuse()
    }
    const first = demand.sessionId === undefined ? candidates.slice(0, shortList) : candidates
    if (first.length === candidates.length) askSome(candidates, [])
    else askSome(first, candidates.slice(first.length))
  })
