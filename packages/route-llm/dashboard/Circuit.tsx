import type { Board } from "./Board.ts"
import { beat } from "./clock.ts"
import { span, words } from "./format.ts"
import type { ProviderRow } from "./History.ts"

/** How a provider stands, worst first. */
export type Standing = "open" | "benched" | "half_open" | "in_service"

export const standingOf = ({ benchedBecause, circuit }: ProviderRow): Standing =>
  circuit === "open"
    ? "open"
    : benchedBecause !== undefined
    ? "benched"
    : circuit === "half_open"
    ? circuit
    : "in_service"

const radius = 8
const round = 2 * Math.PI * radius

const Ring = ({ share }: { share: number }) => (
  <svg class="ring" viewBox="0 0 20 20" aria-hidden="true">
    <circle cx="10" cy="10" r={radius} />
    <circle class="left" cx="10" cy="10" r={radius} stroke-dasharray={`${share * round} ${round}`} />
  </svg>
)

/** The whole of the pause that a countdown is the rest of: the most that was seen of it since it began. */
const wholes = new Map<string, { readonly standing: Standing; readonly ms: number }>()

const wholeOf = (name: string, standing: Standing, leftMs: number): number => {
  const before = wholes.get(name)
  const ms = before?.standing === standing ? Math.max(before.ms, leftMs) : leftMs
  wholes.set(name, { standing, ms })
  return ms
}

const Countdown = ({ leftMs, name, standing }: { name: string; standing: Standing; leftMs: number }) => {
  const whole = wholeOf(name, standing, leftMs)
  return <Ring share={whole <= 0 ? 0 : leftMs / whole} />
}

/** The circuit in words, with the time until it changes by itself. */
export const Circuit = ({ board, row }: { board: Board; row: ProviderRow }) => {
  const standing = standingOf(row)
  if (standing === "in_service" || standing === "half_open") wholes.delete(row.name)
  const pauseMs = standing === "open" ? row.circuitRetryAfterMs : standing === "benched" ? row.benchedForMs : undefined
  const passedMs = (beat.value, board.now(performance.now())) - (board.report.value?.timestamp ?? 0)
  const leftMs = pauseMs === undefined ? undefined : Math.max(0, pauseMs - passedMs)
  return (
    <p class="circuit" data-state={standing} data-testid={`circuit-${row.name}`}>
      {leftMs === undefined
        ? <i aria-hidden="true" />
        : <Countdown name={row.name} standing={standing} leftMs={leftMs} />}
      {standing === "open" && (leftMs === undefined
        ? "Circuit open, until closed by hand"
        : leftMs === 0
        ? "Circuit open, tries again with the next request"
        : `Circuit open, tries again in ${span(leftMs)}`)}
      {standing === "benched" &&
        `Benched${leftMs === undefined ? "" : ` for ${span(leftMs)}`}: ${words(row.benchedBecause ?? "")}`}
      {standing === "half_open" && "Half open, one call probes it"}
      {standing === "in_service" && "Circuit closed"}
    </p>
  )
}
