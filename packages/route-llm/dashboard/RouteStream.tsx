import { useSignal } from "@preact/signals"
import type { Board } from "./Board.ts"
import { describe } from "./describe.ts"
import { count, timeOfDay } from "./format.ts"
import { folded, type LogEntry } from "./LogEntry.ts"
import { providerColour } from "./theme.ts"

/** Lines that are in the page; a few screens. */
const shown = 80

const isTrouble = ({ event }: LogEntry): boolean =>
  event._tag !== "RouteEvent" || event.outcome !== "success" || event.fallbackFrom !== undefined

/** How many a line stands for: a sign for the eye, words for the ear. */
const Times = ({ times }: { times: number }) => (
  <>
    <span aria-hidden="true">{` × ${count(times)}`}</span>
    <span class="heard">{` ${count(times)} times`}</span>
  </>
)

const Entry = ({ entry: { count: times, event, sinceMs }, index }: { entry: LogEntry; index: number }) => {
  const { detail, text, tone, who } = describe(event)
  const own = index < 0 ? "var(--ink-3)" : `var(--${providerColour(index)})`
  return (
    <li data-tone={tone} data-tag={event._tag} style={{ "--own": own }}>
      <time>{timeOfDay(event.timestamp)}</time>
      <b>{who}</b>
      <span class="text">
        {text}
        {times > 1 && <Times times={times} />}
      </span>
      <span class="detail">{times > 1 ? `since ${timeOfDay(sinceMs)}` : detail}</span>
    </li>
  )
}

/** What was routed where, and why; what went wrong; what was learned. The newest first. */
export const RouteStream = ({ board }: { board: Board }) => {
  const onlyTrouble = useSignal(false)
  const names = (board.report.value?.providers ?? []).map(({ name }) => name)
  const entries = folded(board.log.value.filter((entry) => !onlyTrouble.value || isTrouble(entry))).slice(0, shown)
  const paused = board.paused.value
  return (
    <section class="stream" aria-label="Routes" id="routes">
      <header>
        <h2>Routes</h2>
        <button
          type="button"
          class="quiet"
          aria-pressed={onlyTrouble.value}
          onClick={() => onlyTrouble.value = !onlyTrouble.value}
        >
          Only trouble
        </button>
        <button
          type="button"
          class="quiet"
          aria-pressed={paused}
          aria-keyshortcuts="p"
          onClick={() => board.pause(!paused)}
        >
          {paused ? `Go on${board.missed.value > 0 ? ` (${count(board.missed.value)} new)` : ""}` : "Pause"}
        </button>
      </header>
      {entries.length === 0
        ? (
          <p class="empty">
            {onlyTrouble.value ? "No trouble so far." : "No route has ended since this page was opened."}
          </p>
        )
        : (
          <ol tabIndex={0} aria-label="Newest first">
            {entries.map((entry) => (
              <Entry
                key={entry.id}
                entry={entry}
                index={"provider" in entry.event ? names.indexOf(entry.event.provider ?? "") : -1}
              />
            ))}
          </ol>
        )}
    </section>
  )
}
