import { computed } from "@preact/signals"
import { useEffect, useRef } from "preact/hooks"
import type { Board } from "./Board.ts"
import type { Bar, Outage } from "./Roll.ts"
import { rollMs, tracks } from "./Roll.ts"
import { colour, providerColour, type Theme, theme } from "./theme.ts"

/** Of one provider among few, among many, and of the picture: beyond it the rows are scrolled. */
const [highest, lowest, mostHeight] = [41, 15, 492]

const rowHeightOf = (rows: number): number => Math.min(highest, Math.max(lowest, Math.floor(mostHeight / rows)))

const paddingOf = (rowHeight: number): number => Math.floor(rowHeight / 10)

interface Palette {
  readonly theme: Theme
  readonly providers: ReadonlyArray<string>
  readonly line: string
  readonly open: readonly [edge: string, wash: string]
  readonly benched: readonly [edge: string, wash: string]
}

interface Drawing {
  readonly palette: Palette
  readonly ctx: CanvasRenderingContext2D
  readonly width: number
  readonly rowHeight: number
  readonly rows: ReadonlyMap<string, number>
  readonly nowMs: number
  readonly observedMs: number
}

const xOf = ({ nowMs, width }: Drawing, ms: number): number => width - (nowMs - ms) / rollMs * width

const yOf = ({ rowHeight }: Drawing, row: number, track: number): number =>
  row * rowHeight + paddingOf(rowHeight) + (track + 0.5) * (rowHeight - 2 * paddingOf(rowHeight)) / tracks

const drawRows = ({ ctx, palette, rowHeight, rows, width }: Drawing): void => {
  ctx.fillStyle = palette.line
  for (const row of rows.values()) ctx.fillRect(0, (row + 1) * rowHeight - 1, width, 1)
  for (let quarter = 1; quarter < 4; quarter++) {
    ctx.fillRect(Math.round(width * quarter / 4), 0, 1, rows.size * rowHeight)
  }
}

const drawOutage = (drawing: Drawing, { fromMs, kind, provider, toMs }: Outage): void => {
  const row = drawing.rows.get(provider)
  if (row === undefined) return
  const { ctx, palette, rowHeight } = drawing
  const [edge, wash] = palette[kind]
  const from = xOf(drawing, fromMs)
  const to = toMs < drawing.observedMs ? Math.max(from + 2, xOf(drawing, toMs)) : drawing.width
  ctx.fillStyle = wash
  ctx.fillRect(from, row * rowHeight, to - from, rowHeight - 1)
  ctx.fillStyle = edge
  ctx.fillRect(from, row * rowHeight, 2, rowHeight - 1)
}

/** The wait is thin, the call is thick, a failure ends in a red mark, and a fallback hangs on a line from where it came. */
const drawBar = (drawing: Drawing, bar: Bar): void => {
  const row = drawing.rows.get(bar.provider)
  const to = xOf(drawing, bar.toMs)
  if (row === undefined || to < 0) return
  const { ctx, palette, rowHeight } = drawing
  const [bad] = palette.open
  const from = xOf(drawing, bar.fromMs)
  const y = yOf(drawing, row, bar.track)
  ctx.fillStyle = bar.ok ? palette.providers[row % palette.providers.length]! : bad
  if (bar.waitedMs > 0) {
    ctx.globalAlpha = 0.3
    const waiting = bar.waitedMs / rollMs * drawing.width
    ctx.fillRect(from - waiting, y - 0.5, waiting, 1)
  }
  ctx.globalAlpha = 0.9
  ctx.fillRect(from, y - 1.25, Math.max(2, to - from), 2.5)
  ctx.globalAlpha = 1
  const origin = bar.fallbackFrom === undefined ? undefined : drawing.rows.get(bar.fallbackFrom)
  if (origin !== undefined && origin !== row) {
    const padding = paddingOf(rowHeight)
    const fromY = origin < row ? (origin + 1) * rowHeight - padding : origin * rowHeight + padding
    ctx.fillStyle = bad
    ctx.fillRect(from - 0.5, Math.min(fromY, y), 1, Math.abs(y - fromY))
  }
  if (!bar.ok) ctx.fillRect(to - 1.5, y - 4, 3, 8)
}

const draw = (canvas: HTMLCanvasElement, board: Board): void => {
  const providers = board.report.peek()?.providers ?? []
  const ctx = canvas.getContext("2d")
  if (ctx === null || providers.length === 0) return
  const width = canvas.clientWidth
  const rowHeight = rowHeightOf(providers.length)
  const height = providers.length * rowHeight
  const scale = devicePixelRatio
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale)
    canvas.height = Math.round(height * scale)
  }
  ctx.setTransform(scale, 0, 0, scale, 0, 0)
  ctx.clearRect(0, 0, width, height)
  const rows = new Map(providers.map(({ name }, row): [string, number] => [name, row]))
  const { bars, observedMs, outages } = board.roll.peek()
  const nowMs = board.now(performance.now())
  const drawing = { palette: palette.peek(), ctx, width, rowHeight, rows, nowMs, observedMs }
  for (const outage of outages) drawOutage(drawing, outage)
  drawRows(drawing)
  for (const bar of bars) drawBar(drawing, bar)
}

/** Read once for each theme: asking the style sheet thirty times a second would cost more than the drawing. */
const palette = computed((): Palette => ({
  theme: theme.value,
  providers: Array.from({ length: 8 }, (_, index) => colour(providerColour(index))),
  line: colour("line"),
  open: [colour("bad"), colour("bad-wash")],
  benched: [colour("warn"), colour("warn-wash")]
}))

const Picture = ({ board, rows }: { board: Board; rows: number }) => {
  const place = useRef<HTMLCanvasElement>(null)
  useEffect(() => {
    const canvas = place.current
    if (canvas === null) return
    const calm = matchMedia("(prefers-reduced-motion: reduce)")
    let drawnMs = 0
    let frame = 0
    const onFrame = (nowMs: number) => {
      // Thirty times a second is smooth at this pace; who asked for little motion gets a new picture each second.
      if (nowMs - drawnMs >= (calm.matches ? 1_000 : 32)) {
        drawnMs = nowMs
        draw(canvas, board)
      }
      frame = requestAnimationFrame(onFrame)
    }
    frame = requestAnimationFrame(onFrame)
    return () => cancelAnimationFrame(frame)
  }, [board])
  return (
    <canvas
      ref={place}
      role="img"
      aria-label="Each call as a bar from its beginning to its end, one row a provider"
      style={{ height: `${rows * rowHeightOf(rows)}px` }}
    />
  )
}

/** Every call of the last minute, one row a provider. */
export const Traffic = ({ board }: { board: Board }) => {
  const providers = board.report.value?.providers ?? []
  if (providers.length === 0) return null
  const rowHeight = rowHeightOf(providers.length)
  const scrolls = providers.length * rowHeight > mostHeight
  return (
    <section class="traffic" aria-label="Traffic of the last minute" data-dense={rowHeight < highest ? "" : undefined}>
      <div
        class="rows"
        style={{ maxHeight: `${mostHeight}px` }}
        {...(scrolls ? { tabIndex: 0, role: "group", "aria-label": "Calls by provider" } : {})}
      >
        <ul aria-hidden="true">
          {providers.map(({ name }, index) => (
            <li key={name} style={{ lineHeight: `${rowHeight}px`, "--own": `var(--${providerColour(index)})` }}>
              {name}
            </li>
          ))}
        </ul>
        <Picture board={board} rows={providers.length} />
      </div>
      <p class="scale" aria-hidden="true">
        <span>60 s ago</span>
        <span>45 s</span>
        <span>30 s</span>
        <span>15 s</span>
        <span>now</span>
      </p>
    </section>
  )
}
