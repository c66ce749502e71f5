/**
 * What is sent to the scripts and what they answer, as rows of little-endian doubles: nothing is printed and parsed, so
 * nothing is rounded.
 */
import type { ProviderSpec, StateChange } from "@route-llm/core"
import {
  failureClasses,
  fieldCount,
  hasWords,
  type ProviderRecord,
  rows,
  wordCount,
  wordRows
} from "@route-llm/core/kernel"
import { itemFields, type ItemName, itemNames } from "./item.ts"
import { dayCells, type Layout } from "./scripts.ts"

/** The declared limits, in the order of the meters. */
export const declaredOf = (spec: ProviderSpec): ReadonlyArray<number> =>
  rows.map(({ dimension }) => spec.limits[dimension] ?? Number.POSITIVE_INFINITY)

/** Where the providers begin among the keys of every call, counted from 1. */
export const firstProviderKey = 5

/** Writes what a script is asked, from the front. */
export class RowWriter {
  readonly buffer: Buffer
  #at = 0

  constructor(doubles: number) {
    this.buffer = Buffer.allocUnsafe(doubles * 8)
  }

  doubles(...values: ReadonlyArray<number>): void {
    for (const value of values) this.#at = this.buffer.writeDoubleLE(value, this.#at)
  }

  bytes(bytes: Buffer): void {
    this.#at += bytes.copy(this.buffer, this.#at)
  }
}

export const rowOfDoubles = (...values: ReadonlyArray<number>): Buffer => {
  const row = new RowWriter(values.length)
  row.doubles(...values)
  return row.buffer
}

/** They go with each question, and are the same as long as the list is. */
const encoded = new WeakMap<ProviderSpec, Buffer>()

/** The limits declared, and whether it charges `maxTokens` on arrival. */
export const encodeProvider = (spec: ProviderSpec): Buffer => {
  const known = encoded.get(spec)
  if (known !== undefined) return known
  const row = rowOfDoubles(...declaredOf(spec), spec.counting.chargesMaxTokens ? 1 : 0)
  encoded.set(spec, row)
  return row
}

/** One item of a batch; what is not given is NaN. `tail`: what the vendor should have counted, and what it said. */
export const encodeItem = (item: Partial<Record<ItemName, number>>, tail: ReadonlyArray<number> = []): Buffer => {
  const out = Buffer.allocUnsafe((itemNames.length + tail.length) * 8)
  for (const name of itemNames) out.writeDoubleLE(item[name] ?? Number.NaN, itemFields[name] * 8)
  tail.forEach((value, index) => out.writeDoubleLE(value, (itemNames.length + index) * 8))
  return out
}

/** Whether nothing but its number says that an item was told before: nothing may overtake it. */
export const isOnce = (row: Buffer): boolean =>
  row.readDoubleLE(itemFields.kind * 8) > 1 || Number.isNaN(row.readDoubleLE(itemFields.born * 8))

/** The same item in this place of this batch. A copy: the one that was sent before may be under way still. */
export const addressed = (row: Buffer, place: Readonly<Record<"number" | "key" | "pin", number>>): Buffer => {
  const out = Buffer.from(row)
  out.writeDoubleLE(place.number, itemFields.number * 8)
  out.writeDoubleLE(place.key, itemFields.key * 8)
  out.writeDoubleLE(place.pin, itemFields.pin * 8)
  return out
}

export const asRow = (part: unknown): Buffer => {
  if (!Buffer.isBuffer(part)) throw new Error("no row of figures")
  return part
}

/** Reads what a script answered, from the front. */
export class RowReader {
  #at = 0
  constructor(readonly buffer: Buffer, readonly layout: Layout) {}

  double(): number {
    const value = this.buffer.readDoubleLE(this.#at)
    this.#at += 8
    return value
  }

  /** A provider's row; `full`: with its words and the cells of its windows. */
  record(full: boolean): ProviderRecord {
    const fields = this.#doubles(fieldCount)
    const words = full || hasWords(fields) ? this.#doubles(wordRows * wordCount) : undefined
    return {
      fields,
      words: hasWords(fields) ? words : undefined,
      minute: full ? this.#cells((this.layout.buckets + 1) * 3) : undefined,
      lately: full ? this.#cells(this.layout.latelyCells * 3) : undefined,
      day: full ? this.#cells(dayCells * 2) : undefined
    }
  }

  #doubles(count: number): Float64Array {
    const out = new Float64Array(count)
    for (let index = 0; index < count; index++) out[index] = this.double()
    return out
  }

  #cells(count: number): Uint32Array {
    const out = new Uint32Array(count)
    for (let index = 0; index < count; index++) out[index] = this.buffer.readUInt32LE(this.#at + index * 4)
    this.#at += count * 4
    return out
  }
}

const numberOf = (text: unknown): number => text === "inf" ? Number.POSITIVE_INFINITY : Number(text)

const circuits = ["closed", "open", "half_open"] as const
const circuitOf = (text: unknown) => circuits.find((circuit) => circuit === text) ?? "closed"

/** What a script says has changed; `undefined` where it is of a version that says more. */
export const decodeChange = (change: unknown): StateChange | undefined => {
  if (!Array.isArray(change)) return undefined
  const [kind, provider, third, fourth, fifth] = change as ReadonlyArray<unknown>
  if (typeof provider !== "string") return undefined
  const atMs = numberOf(fifth)
  if (kind === "circuit") {
    return { _tag: "CircuitMoved", provider, from: circuitOf(third), to: circuitOf(fourth), atMs }
  }
  if (kind === "bench") {
    const because = failureClasses[numberOf(third)] ?? "rate_limit"
    return { _tag: "Benched", provider, because, forMs: numberOf(fourth), atMs }
  }
  const dimension = rows[numberOf(third) - 1]?.dimension
  return kind === "limit" && dimension !== undefined
    ? { _tag: "LimitLearned", provider, dimension, limit: numberOf(fourth), atMs }
    : undefined
}

/** The same as the last elements of a reply. */
export const decodeChanges = (reply: ReadonlyArray<unknown>, from: number): ReadonlyArray<StateChange> =>
  reply.slice(from).flatMap((each) => decodeChange(JSON.parse(String(each))) ?? [])
