const number = new Intl.NumberFormat("en")

export const format = (value: number): string => number.format(Math.round(value))

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

type Rows = ReadonlyArray<ReadonlyArray<string>>

const columns = (rows: Rows, pad: (text: string, width: number, column: number) => string): string => {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const line = (row: ReadonlyArray<string>) => row.map((text, column) => pad(text, widths[column]!, column)).join("   ")
  return rows.map((row) => `  ${line(row).trimEnd()}`).join("\n")
}

/** Columns as wide as their widest cell; the first to the left, the others to the right. */
export const table = (rows: Rows): string =>
  columns(rows, (text, width, column) => column === 0 ? text.padEnd(width) : text.padStart(width))

/** The same, all to the left. */
export const textTable = (rows: Rows): string => columns(rows, (text, width) => text.padEnd(width))

/** Reasons with their counts. */
export const refusals = (refused: Readonly<Record<string, number>>): string => {
  const reasons = Object.entries(refused).map(([reason, count]) => `${format(count)} ${reason}`)
  return reasons.length === 0 ? "0" : reasons.join(", ")
}
