import { StateFailure } from "@route-llm/core"
import { Predicate, Schema } from "effect"

const words: Readonly<Record<StateFailure, string>> = {
  timeout: "The shared state has not answered in time.",
  unreachable: "The shared state cannot be reached.",
  refused: "The shared state answers with an error.",
  lost: "The shared state has lost what it held.",
  fault: "The router's state is not available."
}

const isReason = Schema.is(StateFailure)

/** Why there is no answer, as far as it is for others to know: a store's own words may name hosts. */
export const stateWords = (fault: unknown): string =>
  words[Predicate.hasProperty(fault, "reason") && isReason(fault.reason) ? fault.reason : "fault"]
