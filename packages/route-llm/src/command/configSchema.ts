/**
 * The JSON Schema of a configuration file, as an editor reads it: keys in snake_case, a `${VARIABLE}` in place of any
 * value that is no text, and `x-…` for anchors at the top.
 */
import { RouterConfig } from "@route-llm/core"
import { JSONSchema, Predicate } from "effect"
import { toSnakeCase } from "../internal/yamlTree.ts"

interface Node {
  readonly [keyword: string]: unknown
}

const isNode = (value: unknown): value is Node => Predicate.isRecord(value)

const reference = { type: "string", pattern: "\\$\\{", description: "a variable: ${NAME} or ${NAME:-default}" }

const made: Node = { ...JSONSchema.make(RouterConfig) }
const definitions = isNode(made["$defs"]) ? made["$defs"] : {}

/** Draft 7 reads nothing beside a `$ref`, and these name one field each: what they stand for is put in their place. */
const inlined = ({ $ref, ...rest }: Node): Node => {
  const definition = typeof $ref === "string" ? definitions[$ref.slice("#/$defs/".length)] : undefined
  return isNode(definition) ? { ...inlined(definition), ...rest } : rest
}

const scalars: ReadonlySet<unknown> = new Set(["number", "integer", "boolean"])

const snakeCased = (names: unknown): unknown =>
  Array.isArray(names) ? names.map((name) => toSnakeCase(String(name))) : names

const properties = (fields: unknown): Node =>
  isNode(fields)
    ? Object.fromEntries(Object.entries(fields).map(([name, field]) => [toSnakeCase(name), rewrite(field)]))
    : {}

const rewrite = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(rewrite)
  if (!isNode(value)) return value
  const { $defs: _defs, title: _title, ...node } = inlined(value)
  const rewritten = Object.fromEntries(
    Object.entries(node).map(([keyword, inner]) => {
      if (keyword === "properties") return [keyword, properties(inner)]
      if (keyword === "required") return [keyword, snakeCased(inner)]
      return [keyword, keyword === "enum" ? inner : rewrite(inner)]
    })
  )
  const { description, ...rest } = rewritten
  if (!scalars.has(node["type"]) && node["enum"] === undefined) return rewritten
  return { ...(description === undefined ? {} : { description }), anyOf: [rest, reference] }
}

const whole = rewrite(made)

export const configSchema = {
  ...(isNode(whole) ? whole : {}),
  title: "route-llm configuration",
  patternProperties: { "^x-": {} }
}
