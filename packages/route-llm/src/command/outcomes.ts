import * as Data from "effect/Data"

/** Options that do not go together, or one that is missing. */
export class Misused extends Data.TaggedError("Misused")<{ readonly message: string }> {}

/** It could not be done; the message says why, and what to change. */
export class Failed extends Data.TaggedError("Failed")<{ readonly message: string }> {}

/** It was done and printed, and the answer is no. */
export class AnswerIsNo extends Data.TaggedError("AnswerIsNo")<{}> {}
