/** What a vendor says of its limits, with an answer or with an error, in headers or in the body. */
import type { LimitReading } from "@route-llm/core"
import { safely } from "./json.ts"
import { quotedHeaders, violationReadings, wordReadings } from "./limitBodies.ts"
import { headerReadings, type Heard } from "./limitHeaders.ts"

const left = ({ limit, remaining }: LimitReading): number => remaining ?? limit ?? Infinity

/** One reading a dimension, that with the least left; of two alike the first, which is the more exact source. */
const tightest = (readings: ReadonlyArray<LimitReading>): ReadonlyArray<LimitReading> | undefined => {
  const byDimension = new Map<LimitReading["dimension"], LimitReading>()
  for (const reading of readings) {
    const known = byDimension.get(reading.dimension)
    if (known === undefined || left(reading) < left(known)) byDimension.set(reading.dimension, reading)
  }
  return byDimension.size === 0 ? undefined : [...byDimension.values()]
}

/** Whether its figures are such that something can be made of them. */
export const isSound = ({ limit = 0, remaining = 0, resetMs = 0 }: LimitReading): boolean =>
  [limit, remaining, resetMs].every((figure) => figure >= 0 && figure < Infinity)

/** Of an answer. At most one reading a dimension; `undefined` where there is none. Never throws. */
export const limitsOfAnswer = (headers: unknown, heard: Heard): ReadonlyArray<LimitReading> | undefined =>
  safely(() => tightest(headerReadings(headers, heard)), undefined)

/** An error, as far as it can speak of limits. */
export interface Refusal {
  readonly headers: unknown
  readonly status: number | undefined
  readonly bodies: ReadonlyArray<unknown>
  /** The vendor's own: what an upstream of its said is of the upstream's limits. */
  readonly words: string
}

/** Of an error, likewise. Words count only where the vendor refused for a limit: other errors quote the request. */
export const limitsOfRefusal = (refusal: Refusal, heard: Heard): ReadonlyArray<LimitReading> | undefined =>
  safely(() => {
    const { bodies, headers, status, words } = refusal
    const told = { ...heard, words }
    const inHeaders = [headers, quotedHeaders(bodies)].flatMap((fields) => headerReadings(fields, told))
    if (status !== 429 && status !== 413) return tightest(inHeaders)
    return tightest([...inHeaders, ...violationReadings(bodies, heard.nowMs), ...wordReadings(words)])
  }, undefined)
