import { Predicate } from "effect"

/**
 * Why a request failed, as Node's code of it: `ECONNREFUSED`. `fetch` wraps it, sometimes twice. Messages are left where
 * they are: some quote what was sent, a token among it.
 */
export const reasonOf = (cause: unknown): string => {
  const inner = Predicate.hasProperty(cause, "cause") ? cause.cause : undefined
  if (inner !== undefined) return reasonOf(inner)
  if (cause instanceof Error && cause.message === "bad port") return "fetch calls no such port"
  const code = Predicate.hasProperty(cause, "code") ? cause.code : undefined
  return typeof code === "string" && /^[A-Z][A-Z\d_]*$/.test(code) ? code : "the connection broke"
}
