/**
 * The configuration as a YAML file.
 *
 * ```yaml
 * providers:
 *   - name: openai
 *     api_key: ${OPENAI_API_KEY}
 *     model: gpt-5.4
 *     rpm_limit: ${OPENAI_RPM:-500}
 *     tpm_limit: 200000
 *   - name: groq
 *     api_key: ${GROQ_API_KEY}      # may be unset while the provider is off
 *     enabled: false
 * circuit_breaker: { failure_threshold: 5, cooldown_seconds: 30 }
 * ```
 *
 * - Keys are snake_case or camelCase, one of both for each.
 * - `${NAME}` and `${NAME:-default}` are replaced in values, after the text has been parsed: what a variable holds is
 *   never YAML. A blank variable counts as unset. Unquoted and alone, a reference may stand for a number or a boolean,
 *   and with an empty default (`${NAME:-}`) for a field that is left out. `$${` stands for `${`.
 * - Inside `[ ]` and `{ }` a reference has to be quoted, as YAML takes its braces for a map.
 * - Anchors, aliases and `<<` work; top-level keys that start with `x-` are a place for anchors and not read otherwise.
 *
 * @since 0.1.0
 */
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import { type ConfigIssue, decodeRouterConfig, InvalidConfig, type RouterConfig } from "@route-llm/core"
import { Array as Arr, Effect } from "effect"
import { type Document, LineCounter, parseDocument, visit, type YAMLError } from "yaml"
import { type ConfigOptions, lookUp, withVariables } from "./internal/environment.ts"
import { namesIn, shownReferences } from "./internal/variables.ts"
import { readTree, toSnakeCase } from "./internal/yamlTree.ts"

// The parser's own messages quote the text at some places, and the text may hold a key.
const syntaxIssues: { readonly [Code in YAMLError["code"]]?: string } = {
  BAD_DIRECTIVE: "expected %YAML or %TAG, found another directive",
  BAD_DQ_ESCAPE: "expected an escape sequence that YAML has, found another one",
  BAD_COLLECTION_TYPE: "expected a tag that fits the value",
  MULTIPLE_DOCS: "expected one document, found a second one",
  NON_STRING_KEY: "expected a key that is plain text",
  RESOURCE_EXHAUSTION: "nested too deeply",
  TAG_RESOLVE_FAILED: "expected a value without a tag, found a tag that does not apply"
}

const syntaxIssue = ({ code, message }: YAMLError, line: string): string =>
  (syntaxIssues[code] ?? message.replace(/(?<! ): .*/s, ""))
  + (line.includes("${") ? " (inside [ ] and { } a ${…} has to be quoted)" : "")

// An empty text has no line that the counter knows of.
const position = (lines: LineCounter, offset: number) => {
  const { col, line } = lines.linePos(offset)
  return { line: Math.max(line, 1), column: Math.max(col, 1) }
}

/** One for each line: after the first, the parser mostly complains about its own confusion. */
const syntaxErrors = (text: string, document: Document, lines: LineCounter): ReadonlyArray<ConfigIssue> => {
  const issues = [...document.errors, ...document.warnings].map((error) => {
    const at = position(lines, error.pos[0])
    return { path: "(syntax)", issue: syntaxIssue(error, text.split("\n")[at.line - 1] ?? ""), ...at }
  })
  return Arr.dedupeWith(issues, (a, b) => a.line === b.line)
}

const variablesOf = (document: Document): ReadonlyArray<string> => {
  const names = new Set<string>()
  visit(document, {
    Scalar: (role, { value }) => {
      if (role !== "key" && typeof value === "string") namesIn(value).forEach((name) => names.add(name))
    }
  })
  return [...names]
}

/** What a variable holds may be a secret wherever it was put, so a value that it stands in is not shown. */
const withoutValues =
  (variablesAt: (issue: ConfigIssue) => ReadonlyArray<string> | undefined) => (error: InvalidConfig) =>
    new InvalidConfig({
      source: error.source,
      issues: Arr.map(error.issues, (issue) => {
        const names = variablesAt(issue)
        return names === undefined ? issue : {
          ...issue,
          issue: issue.issue.replace(
            /, found (?:the text ".*"|-?[\d.]+(?:e[+-]?\d+)?|NaN|-?Infinity|true|false)$/s,
            `, found something else in ${shownReferences(names)}`
          )
        }
      })
    })

/**
 * Reads a configuration from YAML text. Fails with every problem at once, each with line and column; where the text is
 * no YAML, with what the parser found. `source` is what errors call the text, default `"YAML"`.
 *
 * @since 0.1.0
 */
export const fromText = (
  text: string,
  { check, source = "YAML", unneeded, ...options }: ConfigOptions & { readonly source?: string | undefined } = {}
): Effect.Effect<RouterConfig, InvalidConfig> =>
  Effect.gen(function*() {
    const lines = new LineCounter()
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true })
    const broken = syntaxErrors(text, document, lines)
    if (Arr.isNonEmptyReadonlyArray(broken)) return yield* new InvalidConfig({ source, issues: broken })

    const values = new Map(
      yield* Effect.forEach(
        variablesOf(document),
        (name) => Effect.map(lookUp(name, source), (value) => [name, value] as const)
      )
    )
    const tree = readTree(document, (name) => values.get(name), unneeded)
    const key = ({ column, line }: { readonly line?: number | undefined; readonly column?: number | undefined }) =>
      `${line}:${column}`
    const variables = new Map([...tree.variables].map(([offset, names]) => [key(position(lines, offset)), names]))
    const decoded = decodeRouterConfig(tree.value, {
      source,
      check,
      spell: toSnakeCase,
      problems: tree.problems,
      locate: ({ kind, path }) => {
        const [there, absent] = kind === "missing" ? [path.slice(0, -1), path.slice(-1)] : [path, []]
        const { keyOffset, offset, written } = tree.placeOf(there)
        return {
          path: [...written, ...absent.map((key) => toSnakeCase(String(key)))],
          ...position(lines, kind === "unknown" ? keyOffset : offset)
        }
      }
    })
    return yield* Effect.mapError(decoded, withoutValues((issue) => variables.get(key(issue))))
  }).pipe(withVariables(options))

const reasons: { readonly [reason: string]: string } = {
  NotFound: "there is no such file (a relative path starts at the working directory)",
  PermissionDenied: "this process may not read it"
}

const unreadable = (path: string, error: PlatformError): InvalidConfig => {
  const reason = error._tag === "SystemError" ? error.reason : error._tag
  return new InvalidConfig({
    source: path,
    issues: [{ path: "(file)", issue: reasons[reason] ?? `it cannot be read (${reason})` }]
  })
}

/**
 * Reads a configuration from a YAML file. As `fromText`; a file that cannot be read is an `InvalidConfig` as well,
 * which names the path as it was given.
 *
 * @since 0.1.0
 */
export const fromYaml = (
  path: string,
  options: ConfigOptions = {}
): Effect.Effect<RouterConfig, InvalidConfig, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const text = yield* Effect.mapError(files.readFileString(path), (error) => unreadable(path, error))
    return yield* fromText(text, { ...options, source: path })
  })
