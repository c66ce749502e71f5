import { Duration, Record, Schema } from "effect"
import { type Consequence, consequences } from "../FailureClass.ts"
import { Milliseconds } from "./duration.ts"

const fallback = <A, I>(schema: Schema.Schema<A, I>, value: A) => Schema.optionalWith(schema, { default: () => value })

const rowOf = ({ bench = 0, breaker, request, tokens }: Consequence) =>
  Schema.Struct({
    request: fallback(Schema.Literal("fail", "next", "larger", "retry", "wait"), request),
    breaker: fallback(Schema.Boolean, breaker),
    /** 0: not at all. */
    bench: fallback(Milliseconds, Duration.toMillis(bench)),
    tokens: fallback(Schema.Literal("kept", "refunded"), tokens)
  })

/** The table of failure classes, its durations in ms, with the user's rows over `consequences`. */
export const FailureTable = Schema.Struct(
  Record.map(consequences, (row) => fallback(rowOf(row), Schema.decodeSync(rowOf(row))({})))
)
