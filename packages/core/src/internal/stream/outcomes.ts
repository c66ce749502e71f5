/** What is settled of an answer that had begun, by how it ended. */
import { Exit, FiberId } from "effect"
import type { ProviderResponse } from "../../ChatResponse.ts"
import type { ProviderFailure } from "../../Provider.ts"
import { failedSettlement, type Outcome } from "../ending.ts"
import type { Opened } from "./openAnswer.ts"
import type { Transcript } from "./Transcript.ts"

type Answer = Pick<ProviderResponse, "finishReason" | "model" | "usage">

/** The last part of an answer that came whole. */
export const finishOf = (
  { called: { reservation }, firstTokenMs }: Opened,
  { finishReason, model, usage }: Answer,
  told: { readonly latencyMs: number; readonly attempts: number }
) => ({
  _tag: "Finish" as const,
  finishReason,
  provider: reservation.provider,
  model,
  inputTokens: usage?.inputTokens ?? reservation.inputTokens,
  outputTokens: usage?.outputTokens ?? reservation.outputTokens,
  firstTokenMs,
  ...told
})

/** It came whole. */
export const completed = (
  { firstTokenMs, limits }: Opened,
  answer: Answer,
  latencyMs: number
): Outcome => ({
  exit: Exit.succeed(answer),
  latencyMs,
  settlement: { _tag: "Success", usage: answer.usage, latencyMs, firstTokenMs, limits }
})

/** Its vendor has failed, or taken too long. */
export const broken = (
  { called: { reservation }, firstTokenMs }: Opened,
  transcript: Transcript,
  failure: ProviderFailure,
  latencyMs: number
): Outcome => ({
  exit: Exit.fail(failure),
  latencyMs,
  settlement: {
    ...failedSettlement(failure, latencyMs),
    usage: failure.usage ?? transcript.used(reservation, true),
    firstTokenMs
  }
})

/** Its reader has left: no fault of the provider. */
export const left = (
  { called: { reservation }, firstTokenMs }: Opened,
  transcript: Transcript,
  latencyMs: number
): Outcome => ({
  exit: Exit.interrupt(FiberId.none),
  latencyMs,
  settlement: {
    _tag: "Failure",
    class: "cancelled",
    usage: transcript.used(reservation, false),
    latencyMs,
    firstTokenMs
  }
})
