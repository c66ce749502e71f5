import { Duration, Schema } from "effect"

const isDurationInput = (input: unknown): input is Duration.DurationInput =>
  typeof input === "number"
    ? input >= 0
    : !(typeof input === "string" && input.trim().startsWith("-")) && Duration.decodeUnknown(input)._tag === "Some"

/** What a user writes: ms as a number, or `"20 seconds"`, or a `Duration`. Negative and NaN are refused. */
export const DurationInput = Schema.declare(isDurationInput, {
  description: "a duration ≥ 0 such as 500 (ms) or \"20 seconds\""
})

/** A `DurationInput`, decoded once to ms. */
export const Milliseconds = Schema.transform(DurationInput, Schema.Number, {
  strict: true,
  decode: (input) => Duration.toMillis(input),
  encode: (ms) => ms
})

/** A duration for which neither 0 nor infinity has a meaning. */
export const PositiveMilliseconds = Milliseconds.pipe(Schema.positive(), Schema.finite())

/** A duration for which 0 has no meaning; `Infinity` is "never". */
export const PositiveOrInfinite = Milliseconds.pipe(Schema.positive())
