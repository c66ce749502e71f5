import type { ConfigProblem } from "@route-llm/core"
import { type Document, isAlias, isMap, isScalar, isSeq, type Node, Scalar, type YAMLMap } from "yaml"
import { expand, isOneReference, namesIn, shownName, shownReferences } from "./variables.ts"

/** Where a value stands in the text, as offsets, and what its path is in the writer's spelling. */
interface Place {
  readonly written: ConfigProblem["path"]
  readonly keyOffset: number
  readonly offset: number
}

/** A document as plain data in camelCase, and the way back from its paths to the text. */
export interface YamlTree {
  readonly value: unknown
  readonly problems: ReadonlyArray<ConfigProblem>
  /** The values that variables stand in: where, as an offset, and which. */
  readonly variables: ReadonlyMap<number, ReadonlyArray<string>>
  readonly placeOf: (path: ConfigProblem["path"]) => Place
}

interface Reading {
  readonly document: Document
  readonly valueOf: (variable: string) => string | undefined
  readonly unneeded: ReadonlySet<unknown>
  readonly problems: Array<ConfigProblem>
  readonly variables: Map<number, ReadonlyArray<string>>
  readonly places: Map<string, Place>
  visited: number
  deepest: number
}

interface At {
  readonly path: ConfigProblem["path"]
  readonly written: ConfigProblem["path"]
  readonly keyOffset: number
  /** Inside a provider with `enabled: false`: a variable that is not set is no problem there. */
  readonly disabled: boolean
}

interface Entry {
  readonly written: string
  readonly keyOffset: number
  readonly node: Node | null
}

// An alias is read again wherever it is used, so a few lines could ask for billions of values, or for endless ones.
const mostNodes = 10_000
const mostLevels = 32

// A variable of digits stays text where text is due: a key, a model's name.
const textKeys: ReadonlySet<unknown> = new Set(["name", "apiKey", "model", "adapter", "baseUrl", "redisUrl"])

const placeKey = (path: ConfigProblem["path"]): string => JSON.stringify(path)

const toCamelCase = (key: string): string =>
  /^[a-z]+(_[a-z]+)+$/.test(key) ? key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()) : key

/** `rpmLimit` → `rpm_limit`. */
export const toSnakeCase = (key: string): string => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

const problem = (reading: Reading, at: At, issue: string, kind: ConfigProblem["kind"] = "invalid"): undefined => {
  reading.problems.push({ path: at.path, kind, issue })
}

const place = (reading: Reading, at: At, node: Node | null): void => {
  const { keyOffset, written } = at
  reading.places.set(placeKey(at.path), { written, keyOffset, offset: node?.range?.[0] ?? keyOffset })
}

const resolve = (reading: Reading, node: Node | null): Node | null | undefined =>
  isAlias(node) ? node.resolve(reading.document) : node

/** By YAML's own rules, but only to a number or a boolean. */
const typed = (reading: Reading, text: string): unknown => {
  const tag = reading.document.schema.tags.find((tag) => tag.default === true && tag.test?.test(text))
  const value = tag === undefined || tag.collection ? text : tag.resolve(text, () => {}, {})
  const plain = isScalar(value) ? value.value : value
  return typeof plain === "number" || typeof plain === "boolean" ? plain : text
}

const readScalar = (reading: Reading, node: Scalar, at: At): unknown => {
  if (typeof node.value !== "string") return node.value
  const names = namesIn(node.value)
  if (names.length > 0 && node.range) reading.variables.set(node.range[0], names)
  const { malformed, text, unset } = expand(node.value, reading.valueOf)
  if (malformed) {
    return problem(reading, at, "expected ${NAME} or ${NAME:-default} ($${ for a plain ${), found another ${")
  }
  if (unset.length > 0) {
    const [first = ""] = unset
    const issue = `expected a value, found ${shownReferences(unset)} unset: set it, or write \${${
      shownName(first)
    }:-default}`
    return at.disabled || reading.unneeded.has(at.path.at(-1)) ? undefined : problem(reading, at, issue)
  }
  if (node.type !== Scalar.PLAIN || !isOneReference(node.value)) return text
  if (text === "") return undefined
  return textKeys.has(at.path.at(-1)) ? text : typed(reading, text)
}

/** The maps that `<<` brings in, in the order in which they win. */
const mergeSources = (reading: Reading, node: Node | null, at: At, within: ReadonlyArray<YAMLMap>) => {
  const value = resolve(reading, node)
  return (isSeq(value) ? value.items : [value]).flatMap((item) => {
    const source = resolve(reading, item as Node | null)
    if (isMap(source) && !within.includes(source)) return [source]
    problem(reading, at, "expected << to name a map above, or a list of such maps")
    return []
  })
}

/** A map's entries by key in camelCase: its own, over those of `<<`. */
const entriesOf = (
  reading: Reading,
  map: YAMLMap,
  at: At,
  within: ReadonlyArray<YAMLMap> = []
): ReadonlyMap<string, Entry> => {
  const own = new Map<string, Entry>()
  const merged = new Map<string, Entry>()
  for (const { key, value } of map.items as ReadonlyArray<{ key: Scalar<string>; value: Node | null }>) {
    if (++reading.visited > mostNodes) break
    const written = key.value
    if (written === "<<" && key.type === Scalar.PLAIN) {
      for (const source of mergeSources(reading, value, at, [...within, map])) {
        for (const [name, entry] of entriesOf(reading, source, at, [...within, map])) {
          if (!merged.has(name)) merged.set(name, entry)
        }
      }
      continue
    }
    const name = toCamelCase(written)
    const twin = own.get(name)
    if (twin !== undefined) {
      problem(
        reading,
        { ...at, path: [...at.path, name] },
        `${twin.written} and ${written} are one key, keep one`,
        "unknown"
      )
    }
    own.set(name, { written, keyOffset: key.range?.[0] ?? at.keyOffset, node: value })
  }
  return new Map([...merged, ...own])
}

/** Read apart from the other fields, as it decides what the others need. */
const isOff = (reading: Reading, enabled: Entry | undefined, at: At): boolean => {
  const node = resolve(reading, enabled?.node ?? null)
  return isScalar(node) &&
    readScalar({ ...reading, problems: [] }, node, { ...at, path: [...at.path, "enabled"] }) === false
}

const readMap = (reading: Reading, map: YAMLMap, at: At): unknown => {
  const entries = entriesOf(reading, map, at)
  const isProvider = at.path.length === 2 && at.path[0] === "providers"
  const disabled = at.disabled || (isProvider && isOff(reading, entries.get("enabled"), at))
  return Object.fromEntries([...entries].flatMap(([name, { keyOffset, node, written }]) => {
    if (at.path.length === 0 && written.startsWith("x-")) return []
    const path = [...at.path, name]
    const value = read(reading, node, { path, written: [...at.written, written], keyOffset, disabled })
    return value === undefined ? [] : [[name, value]]
  }))
}

const read = (reading: Reading, node: Node | null, at: At): unknown => {
  place(reading, at, node)
  reading.visited += 1
  reading.deepest = Math.max(reading.deepest, at.path.length)
  if (reading.visited > mostNodes || reading.deepest > mostLevels) return undefined
  if (isAlias(node)) {
    const target = resolve(reading, node)
    return target
      ? read(reading, target, at)
      : problem(reading, at, "expected an alias of an anchor above, found one of none")
  }
  if (isMap(node)) return readMap(reading, node, at)
  if (isSeq(node)) {
    return node.items.map((item, i) =>
      read(reading, item as Node | null, { ...at, path: [...at.path, i], written: [...at.written, i] })
    )
  }
  return isScalar(node) ? readScalar(reading, node, at) : null
}

/**
 * Reads a document without syntax errors: aliases and `<<` resolved, variables replaced, keys in camelCase, top-level
 * keys that start with `x-` left out. A value that is not there after all (a variable without value, say) is absent;
 * among the fields that are `unneeded` that is no problem.
 */
export const readTree = (
  document: Document,
  valueOf: Reading["valueOf"],
  unneeded: Reading["unneeded"] = new Set()
): YamlTree => {
  const reading: Reading = {
    document,
    valueOf,
    unneeded,
    problems: [],
    variables: new Map(),
    places: new Map(),
    visited: 0,
    deepest: 0
  }
  const { problems, variables } = reading
  const value = read(reading, document.contents, { path: [], written: [], keyOffset: 0, disabled: false })
  const placeOf = (path: ConfigProblem["path"]) =>
    reading.places.get(placeKey(path)) ?? { written: path, keyOffset: 0, offset: 0 }
  if (reading.visited <= mostNodes && reading.deepest <= mostLevels) {
    return { value, problems, variables, placeOf }
  }
  const issue =
    `expected at most ${mostNodes} values in ${mostLevels} levels, found more (aliases count as what they name)`
  return { value: undefined, problems: [{ path: [], kind: "invalid", issue }], variables, placeOf }
}
