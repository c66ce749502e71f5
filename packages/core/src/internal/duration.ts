import { Duration, Schema } from "effect"

const isDurationInput = (input: unknown): input is Duration.DurationInput =>
  typeof input === "number" ? input >= 0 : Duration.decodeUnknown(input)._tag === "Some"

/** What a user writes: ms as a number, or `"20 seconds"`, or a `Duration`. Negative and NaN are refused. */
export const DurationInput = Schema.declare(isDurationInput, {
  identifier: "DurationInput",
  description: "a duration ≥ 0: milliseconds as a number, or text such as \"20 seconds\"",
  message: (issue) => `expected a duration ≥ 0 such as 500 (ms) or "20 seconds", found ${JSON.stringify(issue.actual)}`
})

/** A `DurationInput`, decoded once to ms. */
export const Milliseconds = Schema.transform(DurationInput, Schema.Number, {
  strict: true,
  decode: (input) => Duration.toMillis(input),
  encode: (ms) => ms
})
