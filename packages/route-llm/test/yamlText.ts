import { Effect, Either, Redacted } from "effect"
import { fromText } from "../src/ConfigFile.ts"

type Variables = Record<string, string | undefined>

export const read = (text: string, variables: Variables = {}) =>
  Effect.runSync(Effect.either(fromText(text, { source: "router.yaml", variables })))

export const accepted = (text: string, variables: Variables = {}) => Either.getOrThrow(read(text, variables))

/** `line:column path: issue` of each problem. */
export const refused = (text: string, variables: Variables = {}): ReadonlyArray<string> =>
  Either.match(read(text, variables), {
    onLeft: ({ issues }) => issues.map(({ column, issue, line, path }) => `${line}:${column} ${path}: ${issue}`),
    onRight: () => []
  })

export const secretsOf = (text: string, variables: Variables = {}) =>
  accepted(text, variables).providers.map(({ apiKey }) => apiKey && Redacted.value(apiKey))

export const limit = "expected a finite number ≥ 1 (leave it out if unknown)"
