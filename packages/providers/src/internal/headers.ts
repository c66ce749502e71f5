import { Predicate } from "effect"
import { at, isRecord, safely, text } from "./json.ts"

/** More than any vendor sends; a client of the user's may hand over anything. */
const mostFields = 200

/** One field, from a `Headers` or from a record with names in lower case. Several of one name come as one value. */
export const headerOf = (headers: unknown, name: string): string | undefined =>
  safely(() => {
    const get = at(headers, "get")
    return text(typeof get === "function" ? Reflect.apply(get, headers, [name]) : at(headers, name))
  }, undefined)

const pairsOf = (headers: unknown): Iterable<unknown> => {
  if (Predicate.isIterable(headers)) return headers
  return isRecord(headers) ? Object.entries(headers) : []
}

/**
 * The fields whose names, in lower case, are wanted. One pass costs less than a lookup for each name that may be there.
 * A field that came several times is the list that RFC 9110 takes it for.
 */
export const fieldsOf = (headers: unknown, isWanted: (name: string) => boolean): ReadonlyMap<string, string> => {
  const fields = new Map<string, string>()
  let left = mostFields
  for (const pair of pairsOf(headers)) {
    left -= 1
    if (left < 0) break
    if (!Array.isArray(pair)) continue
    const [name, value]: ReadonlyArray<unknown> = pair
    if (typeof name !== "string" || typeof value !== "string") continue
    const lower = name.toLowerCase()
    if (!isWanted(lower)) continue
    const before = fields.get(lower)
    fields.set(lower, before === undefined ? value : `${before}, ${value}`)
  }
  return fields
}
