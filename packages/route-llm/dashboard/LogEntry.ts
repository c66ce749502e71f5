/** The lines of the stream. Routes that end without an answer, one after the other and in the same way, are one line. */
import type { RouterEvent } from "@route-llm/core"

/** One line of the stream. */
export interface LogEntry {
  readonly id: number
  /** The newest of those that it stands for. */
  readonly event: RouterEvent
  /** How many that are. */
  readonly count: number
  /** When the first of them was. */
  readonly sinceMs: number
}

const isSame = (one: RouterEvent, other: RouterEvent): boolean =>
  one._tag === "RouteEnded" && other._tag === "RouteEnded" && one.outcome === other.outcome

/** Both as one line, which is the older one going on; `undefined` where they are two. */
export const joined = (newer: LogEntry, older: LogEntry | undefined): LogEntry | undefined =>
  older !== undefined && isSame(newer.event, older.event)
    ? { id: older.id, event: newer.event, count: newer.count + older.count, sinceMs: older.sinceMs }
    : undefined

/** The newest first, as they come and as they go. */
export const folded = (entries: ReadonlyArray<LogEntry>): ReadonlyArray<LogEntry> => {
  const lines: Array<LogEntry> = []
  for (const entry of entries) {
    const last = lines.at(-1)
    const one = last && joined(last, entry)
    if (one !== undefined) lines.pop()
    lines.push(one ?? entry)
  }
  return lines
}
