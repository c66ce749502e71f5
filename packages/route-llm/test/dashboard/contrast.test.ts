import { readFileSync } from "node:fs"
import { expect, it } from "vitest"

const css = readFileSync(new URL("../../dashboard/base.css", import.meta.url), "utf8")

/** The plain colours of one theme. */
const coloursOf = (selector: string): ReadonlyMap<string, string> => {
  const block = css.slice(css.indexOf(`${selector} {`)).split("}")[0] ?? ""
  return new Map([...block.matchAll(/--([\w-]+): (#[\da-f]{6});/g)].map(([, name, hex]) => [name!, hex!]))
}

/** WCAG 2.2, "relative luminance". */
const luminance = (hex: string): number => {
  const [red, green, blue] = [1, 3, 5].map((start) => {
    const share = Number.parseInt(hex.slice(start, start + 2), 16) / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!
}

const contrast = (one: string, other: string): number => {
  const [darker, lighter] = [luminance(one), luminance(other)].sort((a, b) => a - b)
  return (lighter! + 0.05) / (darker! + 0.05)
}

it.each([["dark", ":root"], ["light", ":root[data-theme=\"light\"]"]])(
  "every colour of text can be read on every ground: %s",
  (_theme, selector) => {
    const colours = coloursOf(selector)
    const inks = [...colours].filter(([name]) => /^(ink|ink-\d|bad|warn|good|p\d)$/.test(name))
    expect(inks).toHaveLength(14)
    const tooFaint = inks.flatMap(([ink, hex]) =>
      ["ground", "panel"].flatMap((ground) => {
        const ratio = contrast(hex, colours.get(ground)!)
        return ratio < 4.5 ? [`${ink} on ${ground}: ${ratio.toFixed(2)}`] : []
      })
    )
    expect(tooFaint).toEqual([])
  }
)
