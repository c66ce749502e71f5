/** Each event as a line of the stream says it. */
import type { RouteEvent, RouteReason, RouterEvent } from "@route-llm/core"
import { count, latency, span, words } from "./format.ts"
import { limitNames } from "./limitNames.ts"

export interface Line {
  /** What it is about: a provider, or the router. */
  readonly who: string
  readonly text: string
  readonly detail: string
  readonly tone: "plain" | "bad" | "warn" | "good"
}

const reasons: Record<RouteReason, string> = {
  ranked: "best now",
  only: "the only one left",
  session: "its session's",
  forced: "forced",
  last_resort: "last resort"
}

const attempt = (event: RouteEvent): Line => {
  const { fallbackFrom, inputTokens, latencyMs, outcome, outputTokens, priority, reason, waitedMs } = event
  const why = [
    reasons[reason],
    ...(fallbackFrom === undefined ? [] : [`after ${fallbackFrom.provider}: ${words(fallbackFrom.class)}`]),
    ...(waitedMs >= 1 ? [`waited ${latency(waitedMs)}`] : []),
    ...(priority === "normal" ? [] : [`${priority} priority`])
  ]
  return {
    who: event.provider,
    text: why.join(", "),
    detail: outcome === "success"
      ? `${count(inputTokens)} → ${count(outputTokens)} tokens, ${latency(latencyMs)}`
      : `${words(outcome)} after ${latency(latencyMs)}`,
    tone: outcome === "success" ? (fallbackFrom === undefined ? "plain" : "warn") : "bad"
  }
}

const circuits = { open: "Circuit opened", half_open: "Circuit half open", closed: "Circuit closed" }

const calls = (attempts: number): string =>
  attempts === 0 ? "no call" : attempts === 1 ? "one call" : `${attempts} calls`

/** `NoCapacity` as people say it. */
const outcomeWords = (outcome: string): string => outcome.replaceAll(/(?<=[a-z])(?=[A-Z])/g, " ").toLowerCase()

export const describe = (event: RouterEvent): Line => {
  switch (event._tag) {
    case "RouteEvent":
      return attempt(event)
    case "RouteEnded":
      return {
        who: event.provider ?? "router",
        text: event.outcome === "cancelled" ? "Given up by its caller" : `Not served: ${outcomeWords(event.outcome)}`,
        detail: `${calls(event.attempts)} in ${latency(event.latencyMs)}`,
        tone: event.outcome === "cancelled" ? "plain" : "bad"
      }
    case "FellBack":
      return { who: event.to, text: `After ${event.from}`, detail: words(event.because), tone: "warn" }
    case "CircuitMoved":
      return {
        who: event.provider,
        text: circuits[event.to],
        detail: `was ${words(event.from)}`,
        tone: event.to === "open" ? "bad" : event.to === "closed" ? "good" : "warn"
      }
    case "Benched":
      return {
        who: event.provider,
        text: event.forMs === undefined ? "Benched until further notice" : `Benched for ${span(event.forMs)}`,
        detail: words(event.because),
        tone: "warn"
      }
    case "LimitLearned":
      return {
        who: event.provider,
        text: `Learned a limit: ${count(event.limit)}`,
        detail: limitNames.find(([dimension]) => dimension === event.dimension)?.[1].toLowerCase() ?? "",
        tone: "good"
      }
    case "StateFailed": {
      const isAway = event.operation === undefined || event.operation === "snapshot"
      const text = isAway ? "The shared state is away" : `The state failed to ${event.operation}`
      return { who: "router", text, detail: event.message, tone: "bad" }
    }
    case "StateRecovered":
      return {
        who: "router",
        text: "The shared state is back",
        detail: `after ${Math.round(event.afterMs / 1_000)} s`,
        tone: "good"
      }
  }
}
