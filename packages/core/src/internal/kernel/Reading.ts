/**
 * What a vendor says of its limits, and what its silence says, taken over into a provider's ledger. The vendor's word
 * outranks the ledger wherever it counts more.
 */
import type { LimitReading } from "../../RateLimit.ts"
import type { Reservation, Settlement } from "../../RouterState.ts"
import { type Meter, rowOf } from "./Meter.ts"
import type { ProviderLedger } from "./ProviderLedger.ts"

const requestsRow = rowOf("requests")

/** Fewer requests than this in a window say too little to learn a limit from a refusal. */
const fewestToLearn = 10

/** No time that a vendor names is longer: one in the wrong unit would set a provider aside for years. */
const longestMs = 86_400_000

const orAbsent = (value: number | undefined, least: number): number | undefined =>
  value !== undefined && Number.isFinite(value) && value >= least ? value : undefined

/** The readings without what is no figure: anyone's own provider may answer them, and a limit of 0 would be for good. */
export const readable = (readings: ReadonlyArray<LimitReading>): ReadonlyArray<LimitReading> =>
  readings.map(({ dimension, limit, remaining, resetMs }) => ({
    dimension,
    limit: orAbsent(limit, 1),
    remaining: orAbsent(remaining, 0),
    resetMs: orAbsent(resetMs === undefined ? undefined : Math.min(resetMs, longestMs), 0)
  }))

/** The settlement, with a day where its vendor asks for more. */
export const withinADay = <Of extends Settlement>(settlement: Of): Of =>
  settlement._tag === "Failure" && settlement.retryAfterMs !== undefined && settlement.retryAfterMs > longestMs
    ? { ...settlement, retryAfterMs: longestMs }
    : settlement

/**
 * Until when the provider is set aside because nothing remains of a limit that nobody has told: without the limit its
 * use says nothing. A reset that is not named is a window away, which is a guess.
 */
export const spentUntil = (
  { meters, nowMs }: ProviderLedger,
  readings: ReadonlyArray<LimitReading>,
  { countable, reservedAtMs }: Reservation
): { readonly untilMs: number; readonly guessed: boolean } | undefined => {
  const atMs = countable === undefined ? nowMs : reservedAtMs
  return readings
    .flatMap((reading) => {
      const meter = meters[rowOf(reading.dimension)]
      if (meter === undefined || Number.isFinite(meter.limit) || !meter.isSpent(reading)) return []
      return [{ untilMs: atMs + (reading.resetMs ?? meter.spanMs), guessed: reading.resetMs === undefined }]
    })
    .sort((a, b) => b.untilMs - a.untilMs)[0]
}

/** What the vendor should find counted now, by meter, for when it says what it did; absent until it says anything. */
export const countable = ({ isTold, meters, spec }: ProviderLedger): Reservation["countable"] =>
  isTold
    ? meters.map((meter) => ({ own: meter.countable(spec.counting.chargesMaxTokens), taken: meter.word.state.taken }))
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
    const taken = before?.[row]?.taken ?? meter.word.state.taken
    const atMs = before === undefined ? nowMs : reservedAtMs
    return meter.read(reading, { own, taken, atMs, nowMs }) ? [meter] : []
  })
  provider.bound()
  return changed
}

/**
 * The vendor refused for its rate and said nothing of its limits. Where none is known, the requests that it did take in a
 * window are the best guess, as long as most of them have been answered: of what is under way nobody knows.
 */
export const learnFromRefusal = (provider: ProviderLedger): ReadonlyArray<Meter> => {
  const requests = provider.meters[requestsRow]!
  const taken = provider.requestsUsed
  if (provider.inFlight > taken / 2) return []
  if (provider.bounded.some(({ isLearned }) => !isLearned) || taken < fewestToLearn) return []
  if (!requests.met(taken, provider.nowMs)) return []
  provider.bound()
  return [requests]
}
