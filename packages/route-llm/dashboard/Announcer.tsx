import type { Board } from "./Board.ts"
import { describe } from "./describe.ts"

/** Circuits that move, for those who hear the page rather than see it. Everything else would be noise. */
export const Announcer = ({ board }: { board: Board }) => {
  const said = board.moves.value.map(describe).map(({ text, who }) => `${who}: ${text}`)
  return <p class="heard" aria-live="polite">{said.join(". ")}</p>
}
