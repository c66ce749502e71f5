import { useEffect, useRef } from "preact/hooks"
import uPlot from "uplot"
import type { Board } from "./Board.ts"
import { percent, timeOfDay } from "./format.ts"
import { historyMs } from "./History.ts"
import { colour, providerColour, theme } from "./theme.ts"

const height = 94

/** A moment that is pointed at in one chart is shown in all. */
const together = uPlot.sync("use")

/** As far back as there is something to see, from two minutes on. */
const spanOf = (first: number, last: number): number => Math.min(historyMs, Math.max(2 * 60_000, last - first))

/** The line at 100 %: nothing is admitted beyond it. */
const drawLimit = (plot: uPlot): void => {
  const y = plot.valToPos(100, "y", true)
  const { ctx } = plot
  ctx.save()
  ctx.strokeStyle = colour("limit")
  ctx.lineWidth = devicePixelRatio
  ctx.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio])
  ctx.beginPath()
  ctx.moveTo(plot.bbox.left, y)
  ctx.lineTo(plot.bbox.left + plot.bbox.width, y)
  ctx.stroke()
  ctx.restore()
}

const minutesOf = ({ data: [times] }: uPlot): number => Math.ceil(spanOf(times[0] ?? 0, times.at(-1) ?? 0) / 60_000)

/** What the pointer is at, or now. */
const readout = (plot: uPlot): string => {
  const at = plot.cursor.idx ?? undefined
  const values = (series: number) => plot.data[series] ?? []
  const value = (series: number) => (at === undefined ? values(series).at(-1) : values(series)[at]) ?? undefined
  const told = (series: number) => value(series) === undefined ? "no limit" : percent(value(series) ?? 0)
  const time = at === undefined ? "" : `${timeOfDay(Number(values(0)[at]))}: `
  return `${time}requests ${told(1)}, tokens ${told(2)}`
}

const optionsOf = (index: number, width: number, tell: (plot: uPlot) => void): uPlot.Options => {
  const main = colour(providerColour(index))
  const line = { width: 1.5, points: { show: false }, spanGaps: false }
  return {
    width,
    height,
    ms: 1,
    padding: [4, 0, 7, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 5 }, sync: { key: together.key } },
    scales: {
      x: { time: true, range: (_plot, min, max) => [max - spanOf(min, max), max] },
      y: { range: [0, 108] }
    },
    axes: [{ show: false }, {
      side: 1,
      size: 30,
      splits: () => [0, 50, 100],
      values: (_plot, splits) => splits.map((split) => `${split}`),
      stroke: colour("ink-3"),
      font: "11px Barlow Semi Condensed",
      gap: 4,
      grid: { stroke: colour("line"), width: 1 },
      ticks: { show: false }
    }],
    series: [
      {},
      { ...line, stroke: colour("ink-2") },
      { ...line, stroke: main, fill: `color-mix(in srgb, ${main} 22%, transparent)` }
    ],
    hooks: { draw: [drawLimit], setCursor: [tell], setData: [tell] }
  }
}

/** Requests and tokens in the window against their limits, over the last ten minutes. */
export const UseChart = ({ board, index, name }: { board: Board; name: string; index: number }) => {
  const place = useRef<HTMLDivElement>(null)
  const caption = useRef<HTMLSpanElement>(null)
  const words = useRef<HTMLOutputElement>(null)
  useEffect(() => {
    const parent = place.current
    if (parent === null) return
    const tell = (plot: uPlot) => {
      if (words.current !== null) words.current.textContent = readout(plot)
      if (caption.current !== null) caption.current.textContent = `Use, last ${minutesOf(plot)} min`
    }
    let plot: uPlot | undefined
    const data = (): uPlot.AlignedData => {
      const [times, requests, tokens] = board.historyOf(name).use
      return [[...times], [...requests], [...tokens]]
    }
    const remake = () => {
      plot?.destroy()
      plot = new uPlot(optionsOf(index, parent.clientWidth, tell), data(), parent)
    }
    const stopTheme = theme.subscribe(remake)
    const stopData = board.report.subscribe(() => plot?.setData(data()))
    const resized = new ResizeObserver(() => plot?.setSize({ width: parent.clientWidth, height }))
    resized.observe(parent)
    return () => {
      stopTheme()
      stopData()
      resized.disconnect()
      plot?.destroy()
    }
  }, [board, name, index])
  return (
    <figure class="use">
      <figcaption>
        <span ref={caption}>Use</span>
        <output ref={words} aria-live="off" />
      </figcaption>
      <div ref={place} class="plot" />
    </figure>
  )
}
