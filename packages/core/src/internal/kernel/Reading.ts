/**
 * What a vendor says of its limits, and what its silence says, taken over into a provider's ledger. The vendor's word
 * outranks the ledger wherever it counts more.
 */
import type { LimitReading } from "../../RateLimit.ts"
import type { Reservation } from "../../RouterState.ts"
import { type Meter, rowOf } from "./Meter.ts"
import type { ProviderLedger } from "./ProviderLedger.ts"

const requestsRow = rowOf("requests")

/** Fewer requests than this in a window say too little to learn a limit from a refusal. */
const fewestToLearn = 10

const orAbsent = (value: number | undefined, least: number): number | undefined =>
  value !== undefined && Number.isFinite(value) && value >= least ? value : undefined

/** The readings without what is no figure: anyone's own provider may answer them, and a limit of 0 would be for good. */
export const readable = (readings: ReadonlyArray<LimitReading>): ReadonlyArray<LimitReading> =>
  readings.map(({ dimension, limit, remaining, resetMs }) => ({
    dimension,
    limit: orAbsent(limit, 1),
    remaining: orAbsent(remaining, 0),
    resetMs: orAbsent(resetMs, 0)
  }))

/** What the vendor should find counted now, by meter, for when it says what it did; absent until it says anything. */
export const countable = ({ isTold, meters, spec }: ProviderLedger): Reservation["countable"] =>
  isTold
    ? meters.map((meter) => ({ own: meter.countable(spec.counting.chargesMaxTokens), taken: meter.word.taken }))
    : undefined

/** A call that came back with readings. */
interface Call {
  readonly reservation: Reservation
  readonly refused: boolean
}

/**
 * Corrects limits and use by what the vendor says; answers the meters whose limit changed. It counted when the call
 * arrived, the call included, unless it has refused it.
 */
export const readLimits = (
  provider: ProviderLedger,
  readings: ReadonlyArray<LimitReading>,
  { refused, reservation }: Call
): ReadonlyArray<Meter> => {
  provider.isTold = true
  const { countable: before, inputTokens, outputTokens, reservedAtMs } = reservation
  const { nowMs } = provider
  const now = countable(provider)
  const changed = readings.flatMap((reading) => {
    const row = rowOf(reading.dimension)
    const meter = provider.meters[row]
    if (meter === undefined) return []
    const uncounted = refused && before !== undefined ? meter.need(inputTokens, outputTokens) : 0
    const own = Math.max((before?.[row]?.own ?? 0) - uncounted, now?.[row]?.own ?? 0)
    const taken = before?.[row]?.taken ?? meter.word.taken
    const atMs = before === undefined ? nowMs : reservedAtMs
    return meter.read(reading, { own, taken, atMs, nowMs }) ? [meter] : []
  })
  provider.bound()
  return changed
}

/**
 * The vendor refused for its rate and said nothing of its limits. Where none is known, the requests that it did take in a
 * window are the best guess; the one that was refused is among those used.
 */
export const learnFromRefusal = (provider: ProviderLedger): ReadonlyArray<Meter> => {
  const requests = provider.meters[requestsRow]!
  const taken = provider.requestsUsed - 1
  if (provider.bounded.some(({ isLearned }) => !isLearned) || taken < fewestToLearn) return []
  if (!requests.met(taken, provider.nowMs)) return []
  provider.bound()
  return [requests]
}
