import { effect, signal } from "@preact/signals"
import { useEffect } from "preact/hooks"
import type { Board } from "./Board.ts"
import { describe } from "./describe.ts"

/** Circuits that move, for those who hear the page rather than see it. Everything else would be noise. */
export const Announcer = ({ board }: { board: Board }) => {
  const text = useText(board)
  return <p class="heard" aria-live="polite">{text.value}</p>
}

const said = signal("")

const useText = (board: Board) => {
  useEffect(() =>
    effect(() => {
      const event = board.log.value[0]?.event
      if (event?._tag === "CircuitMoved") said.value = `${event.provider}: ${describe(event).text}`
    }), [board])
  return said
}
