/**
 * How text looks on a terminal. Colours are the terminal's own sixteen, so that they fit its theme, and nothing is told
 * by colour alone.
 */
export type Style = "plain" | "good" | "warn" | "bad" | "dim" | "strong"

export type Paint = (style: Style, text: string) => string

const codes: { readonly [Name in Exclude<Style, "plain">]: readonly [number, number] } = {
  good: [32, 39],
  warn: [33, 39],
  bad: [31, 39],
  dim: [2, 22],
  strong: [1, 22]
}

const colored: Paint = (style, text) => {
  if (style === "plain" || text === "") return text
  const [on, off] = codes[style]
  return `\u001b[${on}m${text}\u001b[${off}m`
}

export const paintWith = (colors: boolean): Paint => colors ? colored : (_style, text) => text

/** C0 and C1 controls, and the marks that turn the direction of what follows. */
// oxlint-disable-next-line no-control-regex
const commands = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

/** A line of text that came from elsewhere, without what a terminal would take for a command. */
export const printable = (text: string): string => text.replace(commands, "?")

/** The same of several lines. */
export const printableLines = (text: string): string => text.split("\n").map(printable).join("\n")

/** JSON that is safe to print as well: the same value, with escapes for what JSON would leave as it is. */
export const printableJson = (value: unknown, space?: number): string => {
  const escaped = (sign: string) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`
  return JSON.stringify(value, null, space).replace(commands, (sign) => sign === "\n" ? sign : escaped(sign))
}
