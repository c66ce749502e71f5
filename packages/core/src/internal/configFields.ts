/**
 * The values that a configuration's fields take, each with the words that say what is allowed. What is secret is taken
 * as text or `Redacted`, kept as `Redacted`, and never part of a message.
 */
import { Redacted, Schema } from "effect"
import { allows, allowsSecret } from "./configIssues.ts"

export const text = (what: string) => allows(Schema.NonEmptyTrimmedString, `${what}, without spaces around it`)

/** Taken as text or `Redacted`, kept as `Redacted`: it prints as `<redacted>`. */
const secret = (holds: (value: string) => boolean, allowed: string) => {
  const isHeld = (input: unknown): input is string | Redacted.Redacted => {
    const value = Redacted.isRedacted(input) ? Redacted.value(input) : input
    return typeof value === "string" && holds(value)
  }
  return allowsSecret(
    Schema.transform(
      Schema.declare(isHeld, { jsonSchema: { type: "string" } }),
      Schema.RedactedFromSelf(Schema.String),
      {
        strict: true,
        decode: (input) => typeof input === "string" ? Redacted.make(input) : input,
        encode: (kept) => kept
      }
    ),
    allowed
  )
}

// An HTTP header takes no line break, and undici's complaint about one quotes the key.
export const apiKey = secret(
  (value) => /^[\x21-\x7e]+$/.test(value),
  "an API key: visible ASCII characters, without spaces"
)

export const redisUrl = secret(
  (value) => /^rediss?:\/\/\S+$/.test(value),
  "an address that starts with redis:// or rediss://"
)

const isHttpUrl = (value: string): boolean => {
  if (!/^https?:\/\/\S+$/.test(value) || !URL.canParse(value)) return false
  const { password, username } = new URL(value)
  return username === "" && password === ""
}

// `fetch` refuses an address that holds a user and password: https://fetch.spec.whatwg.org/#dom-request
export const baseUrl = allowsSecret(
  Schema.String.pipe(Schema.filter(isHttpUrl)),
  "an address that starts with http:// or https://, without user and password"
)

export const limit = allows(
  Schema.Finite.pipe(Schema.greaterThanOrEqualTo(1)),
  "a finite number ≥ 1 (leave it out if unknown)"
)
export const weight = allows(Schema.Finite.pipe(Schema.nonNegative()), "a finite number ≥ 0")
export const seconds = allows(
  Schema.Finite.pipe(Schema.positive(), Schema.lessThanOrEqualTo(86_400)),
  "a number of seconds greater than 0, at most 86400 (a day)"
)
export const count = allows(Schema.Int.pipe(Schema.positive()), "a whole number ≥ 1")
export const flag = allows(Schema.Boolean, "true or false")

export const share = allows(Schema.Finite.pipe(Schema.between(0, 1)), "a share from 0 to 1")
