import type { Board } from "./Board.ts"
import { beat } from "./clock.ts"
import type { Feed, Link } from "./feed.ts"
import { span, timeOfDay } from "./format.ts"
import { awayIn } from "./reading.ts"
import { theme, toggleTheme } from "./theme.ts"

const Mark = () => (
  <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
    <path d="M3 16h9c6 0 5-9 11-9h6M12 16h17M12 16c6 0 5 9 11 9h6" />
    <circle cx="12" cy="16" r="3.2" />
  </svg>
)

const said: Record<Link["state"], string> = { connecting: "connecting", live: "live", stale: "stale" }

export const Header = ({ board, feed, title }: { board: Board; feed: Feed; title: string }) => {
  const { state } = feed.link.value
  const report = board.report.value
  return (
    <header class="top">
      <h1>
        <Mark />
        <span>route-llm</span>
      </h1>
      <p class="title">{title}</p>
      <p class="link" data-state={state}>
        <i aria-hidden="true" />
        {said[state]}
      </p>
      <p class="clock">
        <time>{report === undefined ? "--:--:--" : (beat.value, timeOfDay(board.now(performance.now())))}</time>
      </p>
      <button type="button" class="quiet" onClick={toggleTheme} aria-keyshortcuts="t">
        {theme.value === "dark" ? "Light" : "Dark"}
      </button>
    </header>
  )
}

const goesOn: { readonly [policy: string]: string } = {
  share: "This app goes on with its share of every limit, and knows nothing of what others use.",
  open: "This app goes on as though it were alone, and knows nothing of what others use."
}

/** Says that the shared state is away, since when and how the app goes on; nothing while it answers. */
export const AwayBanner = ({ board }: { board: Board }) => {
  const away = awayIn(board.report.value)
  if (away === undefined) return null
  return (
    <div class="banner away" role="status" data-testid="away">
      <strong>Shared state away</strong>
      <span>{goesOn[away.policy] ?? `This app follows its policy "${away.policy}".`}</span>
      <output aria-live="off">{span(away.sinceMs)}</output>
    </div>
  )
}

/** Says that what is shown is old, how old, and why; nothing while reports come. */
export const StaleBanner = ({ board, feed }: { board: Board; feed: Feed }) => {
  const link = feed.link.value
  const report = board.report.value
  if (link.state === "live") return null
  if (link.state === "connecting") {
    return (
      <div class="banner waiting" role="status">
        <strong>{link.because === undefined ? "Waiting for the first report" : "No report yet"}</strong>
        <span>{link.because === undefined ? "" : `${link.because} Trying again.`}</span>
      </div>
    )
  }
  return (
    <div class="banner" role="alert" data-testid="stale">
      <strong>Stale data</strong>
      <span>
        {link.because} What you see is as of {report === undefined ? "–" : timeOfDay(report.timestamp)}. Trying again.
      </span>
      <output aria-live="off">{span(beat.value - feed.heardMs.value)}</output>
    </div>
  )
}
