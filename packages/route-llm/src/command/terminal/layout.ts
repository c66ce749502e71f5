import stringWidth from "string-width"
import type { Paint, Style } from "./style.ts"

/** Text in pieces, each with its look. */
export type Cell = ReadonlyArray<readonly [style: Style, text: string]>

export interface Column {
  readonly title: string
  readonly align: "left" | "right"
  /** Where the table is too wide, the columns with the lowest go first; `Infinity` stays. */
  readonly keep: number
  /** The least width it is worth having, for one that may be cut off; default all of it. */
  readonly least?: number
  readonly cells: ReadonlyArray<Cell>
}

/** Cells of a terminal: a sign of Chinese or Japanese takes two, and so does an emoji, of however many signs it is made. */
const widthOf = (text: string): number => stringWidth(text)

const segmenter = new Intl.Segmenter("en")

/** As much of the beginning as has room, in signs as people count them. */
const taken = (text: string, width: number): string => {
  let left = width
  let end = 0
  for (const { index, segment } of segmenter.segment(text)) {
    left -= widthOf(segment)
    if (left < 0) break
    end = index + segment.length
  }
  return text.slice(0, end)
}

const cellWidth = (cell: Cell): number => cell.reduce((sum, [, text]) => sum + widthOf(text), 0)

const gap = "  "
const margin = " "

const columnWidth = ({ cells, title }: Column): number => Math.max(widthOf(title), ...cells.map(cellWidth))

const totalWidth = (columns: ReadonlyArray<Column>): number =>
  margin.length + columns.reduce((sum, column) => {
    const width = columnWidth(column)
    return sum + Math.min(width, column.least ?? width) + gap.length
  }, -gap.length)

/** The columns that fit, the most important ones whatever happens. */
const fitting = (columns: ReadonlyArray<Column>, width: number): ReadonlyArray<Column> => {
  const least = Math.min(...columns.map(({ keep }) => keep))
  if (totalWidth(columns) <= width || least === Infinity) return columns
  const dropped = columns.filter(({ keep }) => keep === least).at(-1)
  return fitting(columns.filter((column) => column !== dropped), width)
}

/** The first signs of a cell, the last of them `…` where something is left out. */
export const clip = (cell: Cell, width: number): Cell => {
  if (cellWidth(cell) <= width) return cell
  let left = Math.max(width - 1, 0)
  const pieces: Array<readonly [Style, string]> = []
  for (const [style, text] of cell) {
    const begin = taken(text, left)
    pieces.push([style, begin])
    if (begin !== text) break
    left -= widthOf(begin)
  }
  return width <= 0 ? [] : [...pieces, ["dim", "…"]]
}

export const painted = (cell: Cell, paint: Paint): string => cell.map(([style, text]) => paint(style, text)).join("")

const padded = (cell: Cell, width: number, align: Column["align"]): Cell => {
  const space: Cell = [["plain", " ".repeat(Math.max(0, width - cellWidth(cell)))]]
  return align === "left" ? [...cell, ...space] : [...space, ...cell]
}

const trimmed = (cell: Cell): Cell => {
  const last = cell.at(-1)
  if (last === undefined || last[1].trimEnd() !== "") return cell
  return trimmed(cell.slice(0, -1))
}

/** A line a row, under the titles; at most `width` cells of the terminal each. */
export const layOut = (all: ReadonlyArray<Column>, width: number, paint: Paint): ReadonlyArray<string> => {
  const columns = fitting(all.filter(({ cells }) => cells.some((cell) => cellWidth(cell) > 0)), width)
  const line = (cellOf: (column: Column) => Cell): string => {
    const cells = columns.map((column) => padded(cellOf(column), columnWidth(column), column.align))
    const joined = cells.flatMap((cell, i): Cell => [["plain", i === 0 ? margin : gap], ...cell])
    return painted(clip(trimmed(joined), width), paint)
  }
  const rows = columns[0]?.cells.length ?? 0
  return [
    line(({ title }) => [["dim", title]]),
    ...Array.from({ length: rows }, (_, row) => line(({ cells }) => cells[row] ?? []))
  ]
}
