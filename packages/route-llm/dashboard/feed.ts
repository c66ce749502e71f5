/**
 * The page's line to the server: opens it, opens it again whenever it breaks or falls silent, and says how it stands.
 */
import { type ReadonlySignal, signal } from "@preact/signals"
import type { RouterEvent, StatusReport } from "@route-llm/core"
import { freshMs } from "./Board.ts"
import { isEvent, isReport, tags } from "./reading.ts"

/**
 * - `connecting`: nothing has come yet.
 * - `live`: reports come.
 * - `stale`: what is shown is old; `because` says why, as far as anyone knows.
 */
export type Link =
  | { readonly state: "connecting"; readonly because?: string | undefined }
  | { readonly state: "live" }
  | { readonly state: "stale"; readonly because: string }

export interface Feed {
  readonly link: ReadonlySignal<Link>
  /** Milliseconds by `performance.now` when the newest report came. */
  readonly heardMs: ReadonlySignal<number>
}

export interface FeedOptions {
  readonly url: string
  readonly onReport: (report: StatusReport) => void
  readonly onEvent: (event: RouterEvent) => void
}

/** A line that has been silent for so long is taken for dead. */
const deadMs = 10_000

const retryMs = 1_000

const silence = "The app has fallen silent."
const unreachable = "The dashboard's server does not answer."
const unavailable = "The router's state is not available."
const unreadable = "The app sends reports that this dashboard does not read."

/** One event's data; a piece of an event that was cut off is nobody's. */
const parsed = (event: MessageEvent<string>): unknown => {
  try {
    return JSON.parse(event.data)
  } catch {
    return undefined
  }
}

/** The named sentence of an event's data, or what stands for it. */
const textIn = (data: unknown, name: string, otherwise: string): string => {
  const text: unknown = Object(data)[name]
  return typeof text === "string" && text !== "" ? text : otherwise
}

export const openFeed = ({ onEvent, onReport, url }: FeedOptions): Feed => {
  const link = signal<Link>({ state: "connecting" })
  const heardMs = signal(performance.now())
  let source: EventSource | undefined
  let openedMs = 0

  const lost = (because: string) => {
    link.value = link.peek().state === "connecting" ? { state: "connecting", because } : { state: "stale", because }
  }

  const heard = (report: Partial<StatusReport> | null) => {
    const { version = "none" } = report ?? {}
    if (version !== 1) return lost(`The app's status has version ${version}; this dashboard reads version 1.`)
    if (!isReport(report)) return lost(unreadable)
    heardMs.value = performance.now()
    onReport(report)
    if (link.peek().state !== "live") link.value = { state: "live" }
  }

  const open = () => {
    source?.close()
    const opened = new EventSource(url)
    source = opened
    openedMs = performance.now()
    const on = (name: string, use: (data: never) => void) =>
      opened.addEventListener(name, (event) => {
        const data = parsed(event)
        if (data !== undefined) use(data as never)
      })
    on("status", heard)
    // In place of a report, again and again.
    on("unavailable", (data) => lost(textIn(data, "reason", unavailable)))
    on("lost", (data) => lost(textIn(data, "message", silence)))
    // One that cannot be read is nobody's, like one that was cut off.
    for (const tag of tags) on(tag, (event) => isEvent(tag, event) && onEvent(event))
    opened.addEventListener("error", () => lost(unreachable))
  }

  const watch = () => {
    const silent = performance.now() - heardMs.peek()
    if (link.peek().state === "live" && silent > freshMs) lost(silence)
    // The browser tries again by itself after a break, but not after an answer that was no stream.
    const mostMs = source?.readyState === EventSource.CLOSED ? retryMs : deadMs
    if (Math.min(silent, performance.now() - openedMs) > mostMs) open()
  }

  const wake = () => {
    if (document.visibilityState === "visible" && link.peek().state !== "live") open()
  }

  open()
  setInterval(watch, 500)
  document.addEventListener("visibilitychange", wake)
  addEventListener("online", wake)
  return { link, heardMs }
}
