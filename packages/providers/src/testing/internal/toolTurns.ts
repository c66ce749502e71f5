/**
 * Where in a conversation a call and its answer do not belong together. All vendors have the one rule: the turn after
 * one that calls tools answers each of its calls, and no other turn answers any. They differ in what they know a call
 * by.
 */
export interface ToolTurn {
  /** By id, at Google by name. */
  readonly calls: ReadonlyArray<string>
  readonly answers: ReadonlyArray<string>
}

const sameKeys = (some: ReadonlyArray<string>, others: ReadonlyArray<string>): boolean =>
  some.length === others.length && [...some].sort().join("\n") === [...others].sort().join("\n")

/** The first turn that does not answer exactly what the one before it called; its calls and answers. */
export const unpaired = (
  turns: ReadonlyArray<ToolTurn>
): { readonly index: number; readonly called: ReadonlyArray<string> } | undefined => {
  const none: ToolTurn = { calls: [], answers: [] }
  const index = [...turns, none].findIndex((turn, at) => !sameKeys(turns[at - 1]?.calls ?? [], turn.answers))
  return index < 0 ? undefined : { index, called: turns[index - 1]?.calls ?? [] }
}
