import type { RouterEvent } from "../RouterEvent.ts"
import type { Tally } from "../Status.ts"

/** What a router has done since it was made, in seven numbers. */
export class Totals {
  #tally: { -readonly [Name in keyof Tally]: number } = {
    requests: 0,
    served: 0,
    failed: 0,
    cancelled: 0,
    fallbacks: 0,
    inputTokens: 0,
    outputTokens: 0
  }

  get tally(): Tally {
    return { ...this.#tally }
  }

  began(): void {
    this.#tally.requests++
  }

  add(event: RouterEvent): void {
    switch (event._tag) {
      case "RouteEvent":
        this.#tally.inputTokens += event.inputTokens
        this.#tally.outputTokens += event.outputTokens
        break
      case "FellBack":
        this.#tally.fallbacks++
        break
      case "RouteEnded":
        this.#tally[
          event.outcome === "success" ? "served" : event.outcome === "cancelled" ? "cancelled" : "failed"
        ]++
    }
  }
}
