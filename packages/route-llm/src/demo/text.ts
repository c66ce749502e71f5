const number = new Intl.NumberFormat("en")

export const format = (value: number): string => number.format(Math.round(value))

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

/** Columns as wide as their widest cell; the first to the left, the others to the right. */
export const table = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const cell = (text: string, column: number) =>
    column === 0 ? text.padEnd(widths[column]!) : text.padStart(widths[column]!)
  return rows.map((row) => `  ${row.map(cell).join("   ").trimEnd()}`).join("\n")
}

/** Reasons with their counts. */
export const refusals = (refused: Readonly<Record<string, number>>): string => {
  const reasons = Object.entries(refused).map(([reason, count]) => `${format(count)} ${reason}`)
  return reasons.length === 0 ? "0" : reasons.join(", ")
}
