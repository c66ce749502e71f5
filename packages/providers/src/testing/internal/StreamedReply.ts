/**
 * One answer as server-sent events: what is due when, where it breaks, and how many tokens have been written. It knows
 * no vendor.
 */
import type { ServerResponse } from "node:http"
import type { FramingFault, StreamFault } from "../Fault.ts"
import { framed, halfACharacter } from "./eventText.ts"
import type { Pace } from "./pace.ts"
import type { VendorClock } from "./VendorClock.ts"
import type { StreamedAnswer, StreamEvent } from "./VendorFormat.ts"

interface StreamedReplyOptions {
  readonly response: ServerResponse
  readonly clock: VendorClock
  readonly answer: StreamedAnswer
  readonly headers: Readonly<Record<string, string>>
  readonly pace: Pace
  readonly shapes: FramingFault["shapes"]
  readonly fault:
    | (Pick<StreamFault, "at" | "events"> & { readonly does: "reset" | "end" | "stall" | StreamEvent })
    | undefined
  /** Once, when nothing more is written: whether that was the whole answer. */
  readonly onEnd: (outcome: "served" | "failed", tokens: number) => void
}

/** Where the answer breaks: after so many of its events, and with so much of the next. */
interface Break {
  readonly after: number
  readonly half: Buffer | undefined
}

const breakOf = (
  { content, end, start }: StreamedAnswer,
  { at, events = 3 }: Pick<StreamFault, "at" | "events">
): Break => {
  switch (at) {
    case "before_headers":
    case "after_headers":
      return { after: 0, half: undefined }
    case "after_start":
      return { after: start.length, half: undefined }
    case "before_end":
      return { after: start.length + content.length, half: undefined }
    case "mid_character": {
      const index = content.findIndex(({ event }) => halfACharacter(event) !== undefined)
      return index < 0
        ? { after: start.length + content.length, half: undefined }
        : { after: start.length + index, half: halfACharacter(content[index]!.event) }
    }
    default:
      return { after: Math.min(start.length + events, start.length + content.length + end.length), half: undefined }
  }
}

export class StreamedReply {
  readonly #options: StreamedReplyOptions
  readonly #steps: ReadonlyArray<{ readonly event: StreamEvent; readonly tokens: number; readonly dueMs: number }>
  readonly #break: Break | undefined
  readonly #startedMs: number
  #next = 0
  #timer: NodeJS.Timeout | undefined
  /** Written so far. */
  tokens = 0

  constructor(options: StreamedReplyOptions) {
    const { answer: { content, end, start }, clock, fault, pace } = options
    this.#options = options
    this.#startedMs = clock.now()
    let tokens = 0
    this.#steps = [
      ...start.map((event) => ({ event, tokens: 0 })),
      ...content,
      ...end.map((event) => ({ event, tokens: 0 }))
    ].map((step) => {
      tokens += step.tokens
      return { ...step, dueMs: pace.firstTokenMs + pace.perTokenMs * tokens }
    })
    this.#break = fault === undefined ? undefined : breakOf(options.answer, fault)
  }

  write(): void {
    const { fault, headers, response } = this.#options
    if (fault?.at === "before_headers") return this.#broken()
    response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", ...headers })
    response.flushHeaders()
    this.#writeDue()
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  /** All that is due, then a timer for what comes next. */
  #writeDue(): void {
    const { answer, clock, onEnd, response, shapes } = this.#options
    const last = this.#break?.after ?? this.#steps.length
    const elapsedMs = clock.now() - this.#startedMs
    const due: Array<StreamEvent> = []
    // A timer fires a millisecond late at best: below that, at once is closer.
    while (this.#next < last && this.#steps[this.#next]!.dueMs - elapsedMs < clock.speed) {
      const { event, tokens } = this.#steps[this.#next++]!
      this.tokens += tokens
      due.push(event)
    }
    for (const piece of due.length === 0 ? [] : framed(due, shapes, answer.idle)) response.write(piece)
    if (this.#next < last) {
      const waitMs = (this.#steps[this.#next]!.dueMs - elapsedMs) / clock.speed
      this.#timer = setTimeout(() => this.#writeDue(), waitMs)
      return
    }
    if (this.#break !== undefined) return this.#broken()
    onEnd("served", this.tokens)
    response.end()
  }

  #broken(): void {
    const { fault, onEnd, response } = this.#options
    const { does } = fault!
    const half = this.#break?.half
    if (half !== undefined) response.write(half)
    if (does === "stall") return
    onEnd("failed", this.tokens)
    if (does === "end") {
      if (response.headersSent) response.end()
      else response.socket?.end()
    } else if (does === "reset") this.#reset()
    else {
      for (const piece of framed([does], [], [])) response.write(piece)
      response.end()
    }
  }

  /** What has been written goes out before the connection breaks. */
  #reset(): void {
    const { response } = this.#options
    if (response.headersSent) response.write("", () => response.socket?.destroy())
    else response.socket?.destroy()
  }
}
