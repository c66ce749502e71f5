/** Server-sent events as bytes, and the shapes in which they may come. */
import type { FramingFault } from "../Fault.ts"
import type { StreamEvent } from "./VendorFormat.ts"

type Shapes = FramingFault["shapes"]

const textOf = ({ data, event }: StreamEvent): string => {
  const written = typeof data === "string" ? data : JSON.stringify(data)
  return `${event === undefined ? "" : `event: ${event}\n`}data: ${written}\n\n`
}

/** The pieces of the body in which events that are due together are written. */
export const framed = (
  events: ReadonlyArray<StreamEvent>,
  shapes: Shapes,
  idle: ReadonlyArray<StreamEvent>
): ReadonlyArray<Buffer> => {
  const texts = events.map((event) => {
    const before = shapes.includes("idle_events") ? idle.map(textOf).join("") : ""
    const comment = shapes.includes("comments") ? ": OPENROUTER PROCESSING\n\n" : ""
    const text = comment + before + textOf(event)
    return Buffer.from(shapes.includes("crlf") ? text.replaceAll("\n", "\r\n") : text)
  })
  if (shapes.includes("bytes")) return texts.flatMap((text) => Array.from(text, (byte) => Buffer.of(byte)))
  return shapes.includes("together") ? [Buffer.concat(texts)] : texts
}

/** Up to the middle of the first character of more than one byte; `undefined` where there is none. */
export const halfACharacter = (event: StreamEvent): Buffer | undefined => {
  const bytes = Buffer.from(textOf(event))
  const lead = bytes.findIndex((byte) => byte >= 0xc0)
  return lead < 0 ? undefined : bytes.subarray(0, lead + 1)
}
