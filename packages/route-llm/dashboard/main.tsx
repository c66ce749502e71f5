import { render } from "preact"
import { Announcer } from "./Announcer.tsx"
import { Board } from "./Board.ts"
import { startBeat } from "./clock.ts"
import { type Feed, openFeed } from "./feed.ts"
import { AwayBanner, Header, StaleBanner } from "./Header.tsx"
import { ProviderCard } from "./ProviderCard.tsx"
import { RouteStream } from "./RouteStream.tsx"
import { readSetup, type Setup } from "./setup.ts"
import { toggleTheme } from "./theme.ts"
import { Totals } from "./Totals.tsx"
import { Traffic } from "./Traffic.tsx"

const titleOf = ({ speed = 1, title }: Setup): string =>
  [...(title === undefined ? [] : [title]), ...(speed === 1 ? [] : [`${speed}× as fast as life`])].join(", ")

const Page = ({ board, feed, setup }: { board: Board; feed: Feed; setup: Setup }) => {
  const providers = board.report.value?.providers ?? []
  return (
    <div class="page" data-link={feed.link.value.state}>
      <a class="skip" href="#routes">Skip to the routes</a>
      <Header board={board} feed={feed} title={titleOf(setup)} />
      <StaleBanner board={board} feed={feed} />
      <AwayBanner board={board} />
      <main>
        <div class="figures">
          <Totals board={board} />
          <Traffic board={board} />
          <section class="cards" aria-label="Providers" data-count={providers.length}>
            {providers.map((row, index) => <ProviderCard key={row.name} board={board} row={row} index={index} />)}
          </section>
        </div>
        <RouteStream board={board} />
      </main>
      <Announcer board={board} />
    </div>
  )
}

/** One letter each, and never with a modifier: those belong to the browser. */
const onKey = (board: Board) => (event: KeyboardEvent) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return
  if (event.key === "t") toggleTheme()
  if (event.key === "p") board.pause(!board.paused.peek())
}

const start = (): void => {
  const setup = readSetup()
  const board = new Board(setup.speed)
  const feed = openFeed({
    url: "events",
    onReport: (report) => board.showReport(report, performance.now()),
    onEvent: (event) => board.showEvent(event)
  })
  startBeat(() => board.flush())
  addEventListener("keydown", onKey(board))
  if (setup.title !== undefined) document.title = `${setup.title} – route-llm`
  render(<Page board={board} feed={feed} setup={setup} />, document.querySelector("#app")!)
}

start()
