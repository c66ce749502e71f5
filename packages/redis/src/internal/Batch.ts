/**
 * What is told to Redis and nobody waits for, item by item, and how a batch of them is sent.
 */
import type { ProviderSpec, Reservation, RouterSettings, Settlement } from "@route-llm/core"
import { failureClasses, outcomeOf, rowOf, wordRows } from "@route-llm/core/kernel"
import { lessCounted } from "./figures.ts"
import type { ItemName } from "./item.ts"
import type { Keys } from "./keys.ts"
import type { Argument } from "./Store.ts"
import { addressed, declaredOf, encodeItem, firstProviderKey } from "./wire.ts"

export interface Item {
  readonly lease: string
  readonly spec: Pick<ProviderSpec, "name" | "model"> | undefined
  /** As `encodeItem` makes it. */
  readonly row: Buffer
  readonly sessionId?: string | undefined
  /** Hears whether Redis has taken it. */
  readonly done?: ((taken: boolean) => void) | undefined
}

export interface Numbered extends Item {
  readonly number: number
  /** When it came to be. */
  readonly atMs: number
}

/** What a batch is on the wire, after what every call begins with. `specs`: whose rows come back, in this order. */
export interface EncodedBatch {
  readonly pins: ReadonlyArray<string>
  readonly args: ReadonlyArray<Argument>
  readonly specs: ReadonlyArray<Pick<ProviderSpec, "name" | "model">>
}

/**
 * `known`: whoever's lease it may be where the item does not say.
 */
export const encodeBatch = (
  items: ReadonlyArray<Numbered>,
  { keys, known }: { readonly keys: Keys; readonly known: ReadonlyArray<ProviderSpec> }
): EncodedBatch => {
  const specs = new Map<string, Pick<ProviderSpec, "name" | "model">>()
  const all = items.some(({ spec }) => spec === undefined) ? known : []
  for (const spec of all) specs.set(keys.provider(spec), spec)
  for (const { spec } of items) if (spec !== undefined) specs.set(keys.provider(spec), spec)
  const providers = [...specs.keys()]
  const sessions = [...new Set(items.flatMap(({ sessionId }) => sessionId ?? []))]
  const args: Array<Argument> = []
  for (const { lease, number, row, sessionId, spec } of items) {
    const key = spec === undefined ? 0 : firstProviderKey + providers.indexOf(keys.provider(spec))
    const pin = sessionId === undefined ? 0 : firstProviderKey + providers.length + sessions.indexOf(sessionId)
    args.push(lease, addressed(row, { number, key, pin }))
  }
  return { pins: sessions.map(keys.pin), args, specs: [...specs.values()] }
}

/** The rows of which a vendor can say something. */
const told: ReadonlySet<number> = new Set(Array.from({ length: wordRows }, (_, row) => row))

const results = { ignored: 0, success: 1, failure: 2 }

/** What identifies a reservation to the script. */
const reservationFigures = (reservation: Reservation, born: number): Partial<Record<ItemName, number>> => ({
  born,
  inputTokens: reservation.inputTokens,
  outputTokens: reservation.outputTokens,
  reservedAtMs: reservation.reservedAtMs,
  epoch: reservation.epoch
})

/** Gives back whatever this lease holds, if it holds anything; of whichever provider it is, where that is not said. */
export const unusedItem = (lease: string, born: number, spec?: Item["spec"]): Item => ({
  lease,
  spec,
  row: encodeItem({ kind: 0, born, epoch: -1 })
})

/** A reservation of this instance alone, from now on in Redis as well. */
export const adoptItem = (lease: string, spec: ProviderSpec, reservation: Reservation): Item => ({
  lease,
  spec,
  row: encodeItem({ kind: 2, ...reservationFigures(reservation, Number.NaN) })
})

/** How the call ended, in figures. */
export const settleItem = (
  lease: {
    readonly id: string
    readonly born: number
    readonly spec: ProviderSpec
    readonly isAdopted?: boolean | undefined
    readonly isCounted?: boolean | undefined
  },
  reservation: Reservation,
  settlement: Settlement,
  settings: RouterSettings
): Item => {
  const { born, id, spec } = lease
  // What another state had counted says nothing of this one.
  const countable = lease.isAdopted === true ? undefined : reservation.countable
  const figures = { ...reservationFigures(reservation, born), hasCountable: countable === undefined ? 0 : 1 }
  const counts = (countable ?? []).slice(0, wordRows).flatMap(({ own, taken }) => [own, taken])
  if (settlement._tag === "Unused") return { lease: id, spec, row: encodeItem({ kind: 0, ...figures }, counts) }
  const outcome = outcomeOf(spec, reservation, settlement, settings)
  const { bench, failed, learns } = outcome
  // Nobody tells how many calls are under way.
  const readings = outcome.readings.filter(({ dimension }) => told.has(rowOf(dimension)))
  const declared = declaredOf(spec)
  const row = encodeItem(
    {
      kind: 1,
      ...figures,
      estimated: reservation.estimatedInputTokens,
      streams: reservation.streams === true ? 1 : 0,
      requests: outcome.requests,
      dayRequests: outcome.dayRequests,
      input: outcome.input,
      output: outcome.output,
      refused: outcome.refused ? 1 : 0,
      firstTokenMs: outcome.firstTokenMs ?? Number.NaN,
      latencyMs: outcome.latencyMs ?? Number.NaN,
      learnInput: learns?.inputTokens ?? Number.NaN,
      learnOutput: learns?.outputTokens ?? Number.NaN,
      result: results[outcome.result],
      failed: failed === undefined ? 0 : failureClasses.indexOf(failed) + 1,
      lateMs: outcome.lateMs ?? Number.NaN,
      benchMs: bench?.forMs ?? 0,
      because: bench === undefined ? 0 : failureClasses.indexOf(bench.because),
      guessed: bench?.guessed === true ? 1 : 0,
      endsBench: outcome.endsBench ? 1 : 0,
      charges: spec.counting.chargesMaxTokens ? 1 : 0,
      readings: readings.length,
      requestsLimit: declared[0]!,
      tokensLimit: declared[1]!,
      inputTokensLimit: declared[2]!,
      outputTokensLimit: declared[3]!,
      requestsPerDayLimit: declared[4]!,
      tokensPerDayLimit: declared[5]!,
      concurrentLimit: declared[6]!
    },
    [
      ...counts,
      ...readings.flatMap(({ dimension, limit, remaining, resetMs }) => [
        rowOf(dimension) + 1,
        limit ?? Number.NaN,
        remaining ?? Number.NaN,
        resetMs ?? Number.NaN
      ])
    ]
  )
  return { lease: id, spec, sessionId: outcome.answered, row: lease.isCounted === true ? lessCounted(row) : row }
}

/** A circuit moved by hand. */
export const forceItem = (spec: ProviderSpec, forMs: number | undefined): Item => ({
  lease: "",
  spec,
  row: encodeItem(forMs === undefined ? { kind: 4 } : { kind: 3, benchMs: forMs })
})

/** What one bucket counts. */
export const countItem = (
  spec: Pick<ProviderSpec, "name" | "model">,
  span: "minute" | "day",
  counts: { readonly atMs: number; readonly requests: number; readonly input: number; readonly output: number }
): Item => ({
  lease: "",
  spec,
  row: encodeItem({
    kind: span === "minute" ? 5 : 6,
    reservedAtMs: counts.atMs,
    requests: counts.requests,
    input: counts.input,
    output: counts.output
  })
})
