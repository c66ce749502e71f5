/** What a fault means for one request: an answer of its own, or a request that is served all the same. */
import type { AnsweredFault, Fault, FramingFault, StreamFault, WireFault } from "../Fault.ts"
import type { Problem } from "./VendorFormat.ts"
import type { VendorState } from "./VendorState.ts"

/** Faults of a request that is served: admitted, counted, and then slow, broken or oddly written. */
export type ServedFault = Extract<WireFault, { readonly kind: "slow" }> | StreamFault | FramingFault

export type AnsweringFault = Exclude<Fault, ServedFault>

export const isServed = (fault: Fault): fault is ServedFault =>
  fault.kind === "slow" || fault.kind === "stream" || fault.kind === "framing"

/** What is nearest where there is no stream that could break. */
const ofAWholeAnswer = ({ at, does }: StreamFault): AnsweringFault => {
  if (typeof does !== "string") return does
  if (does === "stall") return { kind: "timeout" }
  return { kind: "reset", at: at === "before_headers" ? "start" : "mid_body" }
}

/** A fault as this request meets it. */
export const metBy = (fault: Fault, { stream }: { readonly stream: boolean }): Fault =>
  fault.kind === "stream" && (!stream || (fault.at === "before_headers" && typeof fault.does !== "string"))
    ? ofAWholeAnswer(fault)
    : fault

/** A fault that the vendor answers, as its format says it. */
export const problemOf = ({ admission, clock }: VendorState, fault: AnsweredFault): Problem => {
  switch (fault.kind) {
    case "rate_limit":
      return admission.exhausted(clock.now(), {
        dimension: fault.dimension ?? "requests",
        retryAfterMs: fault.retryAfterMs
      })
    case "server_error":
      return { kind: "server_error", status: fault.status ?? 500 }
    case "bad_request":
      return { kind: "bad_request", message: fault.message ?? "The request is invalid." }
    default:
      return fault
  }
}
