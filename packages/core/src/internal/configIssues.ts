import { Array as Arr, Option, Redacted, SchemaAST } from "effect"
import type { ParseResult, Schema } from "effect"
import type { ConfigProblem } from "../RouterConfig.ts"
import { nearest } from "./nearest.ts"

const Secret = Symbol.for("@route-llm/core/configIssues/Secret")

/** Says what a field allows. Issues read `expected <allowed>, found …`. */
export const allows = <S extends Schema.Annotable.All>(schema: S, allowed: string): Schema.Annotable.Self<S> =>
  schema.annotations({ description: allowed })

/** As `allows`; issues name only the kind of what was found, never the value. */
export const allowsSecret = <S extends Schema.Annotable.All>(schema: S, allowed: string): Schema.Annotable.Self<S> =>
  schema.annotations({ description: allowed, [Secret]: true })

// Vendors' keys have 39 signs and more, so one that slipped into a neighbouring field is not shown either.
const longestShown = 24

const kindOf = (value: unknown): string => {
  if (value === "") return "an empty text"
  if (typeof value === "string") return `a text of length ${value.length}`
  if (Redacted.isRedacted(value)) return "a redacted value"
  if (Array.isArray(value)) return "a list"
  return typeof value === "object" ? "an object" : `a ${typeof value}`
}

/** What was found, in words that may be logged. */
const describe = (value: unknown, shown: boolean): string => {
  if (value === undefined || value === null) return "nothing"
  if (!shown) return kindOf(value)
  if (typeof value === "number" || typeof value === "boolean") return String(value)
  if (typeof value === "string" && value !== "" && value.length <= longestShown) {
    return `the text ${JSON.stringify(value)}`
  }
  return kindOf(value)
}

/** Whatever stands in place of an object or a list may be a line that lost its form, key and all. */
const isLeaf = (ast: SchemaAST.AST): boolean =>
  !SchemaAST.isTypeLiteral(ast) && !SchemaAST.isTupleType(ast) && !SchemaAST.isUnion(ast)

/** `Schema.optional` adds `undefined` as a member, which nobody needs to be told of. */
const withoutUndefined = (ast: SchemaAST.AST): SchemaAST.AST => {
  if (!SchemaAST.isUnion(ast)) return ast
  const [only, ...others] = ast.types.filter((member) => !SchemaAST.isUndefinedKeyword(member))
  return only === undefined || others.length > 0 ? ast : only
}

const mismatch = (ast: SchemaAST.AST, actual: unknown, path: ConfigProblem["path"]): ConfigProblem => {
  const expected = Option.getOrElse(SchemaAST.getDescriptionAnnotation(ast), () => String(ast))
  const shown = isLeaf(ast) && Option.isNone(SchemaAST.getAnnotation(Secret)(ast))
  return { path, kind: "invalid", issue: `expected ${expected}, found ${describe(actual, shown)}` }
}

const missing = (ast: SchemaAST.AST, path: ConfigProblem["path"]): ConfigProblem => ({
  ...mismatch(ast, undefined, path),
  kind: "missing"
})

const keysOf = (ast: SchemaAST.AST): ReadonlyArray<string> =>
  SchemaAST.isTypeLiteral(ast) ? ast.propertySignatures.map(({ name }) => String(name)) : []

type Spell = (key: string) => string

const unknownKey = (
  key: string,
  known: ReadonlyArray<string>,
  path: ConfigProblem["path"],
  spell: Spell
): ConfigProblem => {
  const meant = nearest(key, known)
  const hint = meant === undefined
    ? `known here: ${known.map(spell).join(", ")}`
    : `did you mean ${JSON.stringify(spell(meant))}?`
  return { path, kind: "unknown", issue: `unknown key, ${hint}` }
}

const unknownKeys = (problems: ReadonlyArray<ConfigProblem>): number =>
  problems.filter(({ kind }) => kind === "unknown").length

/**
 * Every problem of a failed decoding, in the words of the schema's `allows`. Of a union of objects only the member
 * that knows most of the keys speaks.
 */
export const problemsOf = (issue: ParseResult.ParseIssue, spell: Spell): ReadonlyArray<ConfigProblem> => {
  const walk = (
    issue: ParseResult.ParseIssue,
    path: ConfigProblem["path"],
    known: ReadonlyArray<string>
  ): ReadonlyArray<ConfigProblem> => {
    switch (issue._tag) {
      case "Pointer":
        return walk(issue.issue, [...path, ...Arr.ensure(issue.path)], known)
      case "Missing":
        return [missing("type" in issue.ast ? withoutUndefined(issue.ast.type) : issue.ast, path)]
      case "Unexpected":
        return [unknownKey(String(path.at(-1)), known, path, spell)]
      case "Composite":
        return SchemaAST.isUnion(issue.ast)
          ? walkUnion(issue.ast, issue, path)
          : Arr.ensure(issue.issues).flatMap((inner) => walk(inner, path, keysOf(issue.ast)))
      default:
        return [mismatch(issue.ast, issue.actual, path)]
    }
  }
  const walkUnion = (
    ast: SchemaAST.Union,
    union: ParseResult.Composite,
    path: ConfigProblem["path"]
  ): ReadonlyArray<ConfigProblem> => {
    const [first, ...others] = Arr.ensure(union.issues)
      .filter((member) => member._tag === "Composite")
      .map((member) => walk(member, path, []))
    if (first !== undefined) return others.reduce((a, b) => unknownKeys(b) < unknownKeys(a) ? b : a, first)
    return [mismatch(withoutUndefined(ast), union.actual, path)]
  }
  return walk(issue, [], [])
}
