import { Predicate } from "effect"

/** What a vendor sends beside the answer is not for whoever reads the application's answers. */
const shown = (item: unknown): unknown => {
  if (!Predicate.isTagged(item, "Metadata")) return item
  const { raw: _raw, ...rest } = item as { readonly raw?: unknown }
  return rest
}

/** One event; JSON has no line breaks, so it is one line of data. */
export const event = (item: unknown): string => `data: ${JSON.stringify(shown(item))}\n\n`

/** The last event, of an answer that failed. Of an error that is not ours its words are not shown. */
export const errorEvent = (error: unknown): string => {
  const isOurs = Predicate.hasProperty(error, "_tag") && Predicate.hasProperty(error, "isRetryable")
    && error instanceof Error
  const { message, ...facts } = isOurs
    ? { _tag: error._tag, message: error.message, isRetryable: error.isRetryable }
    : { _tag: "Aborted", message: "The answer was given up.", isRetryable: true }
  return `event: error\ndata: ${JSON.stringify({ ...facts, message })}\n\n`
}
