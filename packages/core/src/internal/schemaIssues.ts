import { ParseResult } from "effect"
import { type ConfigIssue, InvalidConfig } from "../RouterError.ts"

/** `["providers", 1, "rpmLimit"]` → `providers[1].rpmLimit`. */
export const renderPath = (path: ReadonlyArray<PropertyKey>): string =>
  path.reduce<string>(
    (text, key) => typeof key === "number" ? `${text}[${key}]` : text === "" ? String(key) : `${text}.${String(key)}`,
    ""
  )

/** Every issue of a failed decoding. */
export const toIssues = (error: ParseResult.ParseError): readonly [ConfigIssue, ...ReadonlyArray<ConfigIssue>] => {
  const [first, ...rest] = ParseResult.ArrayFormatter.formatErrorSync(error)
    .map(({ message, path }): ConfigIssue => ({ path: renderPath(path) || "(root)", issue: message }))
  return [first ?? { path: "(root)", issue: error.message }, ...rest]
}

/** A failed decoding as the error that the user reads. */
export const toInvalidConfig = (source: string, error: ParseResult.ParseError): InvalidConfig =>
  new InvalidConfig({ source, issues: toIssues(error) })
