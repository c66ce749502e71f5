/** Light or dark: as the system has it, until somebody chooses. */
import { computed, effect, signal } from "@preact/signals"

export type Theme = "light" | "dark"

const key = "route-llm-theme"
const dark = matchMedia("(prefers-color-scheme: dark)")

const stored = (): Theme | undefined => {
  try {
    const value = localStorage.getItem(key)
    return value === "light" || value === "dark" ? value : undefined
  } catch {
    return undefined
  }
}

const chosen = signal(stored())
const system = signal<Theme>(dark.matches ? "dark" : "light")
dark.addEventListener("change", () => system.value = dark.matches ? "dark" : "light")

export const theme = computed<Theme>(() => chosen.value ?? system.value)

effect(() => {
  document.documentElement.dataset["theme"] = theme.value
})

export const toggleTheme = (): void => {
  chosen.value = theme.peek() === "dark" ? "light" : "dark"
  try {
    localStorage.setItem(key, chosen.value)
  } catch {
    // A browser that stores nothing forgets the choice with the page.
  }
}

/** A colour of the style sheet, for what is drawn on a canvas. */
export const colour = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()

/** The colour of the nth provider. */
export const providerColour = (index: number): string => `p${index % 8}`
