/** A beat for what changes with time alone: countdowns, ages. */
import { signal } from "@preact/signals"

export const beat = signal(performance.now())

export const startBeat = (onBeat: () => void): void => {
  setInterval(() => {
    onBeat()
    beat.value = performance.now()
  }, 250)
}
