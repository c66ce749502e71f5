/** Figures as people read them, in English whatever the machine's language is. */
const number = new Intl.NumberFormat("en")

export const amount = (value: number): string => number.format(Math.round(value))

/** `420 ms`, `1.2 s`, `12 s`, `3 min`, `2 h 5 min`, `3 d 4 h`. */
export const span = (ms: number): string => {
  const seconds = Math.max(0, ms) / 1000
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`
  if (seconds < 9.95) return `${Number(seconds.toFixed(1))} s`
  if (seconds < 119.5) return `${Math.round(seconds)} s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 60) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`
  const days = Math.floor(hours / 24)
  return hours % 24 === 0 ? `${days} d` : `${days} d ${hours % 24} h`
}

export const bar = (share: number, width: number): { readonly full: string; readonly empty: string } => {
  const filled = Math.round(Math.min(1, Math.max(0, share)) * width)
  return { full: "█".repeat(filled), empty: "░".repeat(width - filled) }
}
