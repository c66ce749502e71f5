const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 })
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 })
const time = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" })

/** Exact up to five digits, then in thousands or millions. */
export const count = (value: number): string => Math.abs(value) < 100_000 ? whole.format(value) : short.format(value)

/** Whole, but for the last before all and the first after nothing: 99.9 % is not 100 %, and 0.4 % is not 0 %. */
export const percent = (value: number): string => {
  const nearAll = value > 99 && value < 100
  const nearNothing = value > 0 && value < 1
  if (!nearAll && !nearNothing) return `${whole.format(value)} %`
  return `${nearAll ? Math.floor(value * 10) / 10 : Math.ceil(value * 10) / 10} %`
}

export const timeOfDay = (ms: number): string => time.format(ms)

/** A latency: milliseconds below a second, then seconds. */
export const latency = (ms: number): string =>
  ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`

/** A span that somebody waits for: whole seconds, rounded up, so that it never says 0 too early. */
export const span = (ms: number): string => {
  const seconds = Math.max(0, Math.ceil(ms / 1_000))
  if (seconds < 120) return `${seconds} s`
  const minutes = Math.ceil(seconds / 60)
  return minutes < 120 ? `${minutes} min` : `${Math.ceil(minutes / 60)} h`
}

/** `rate_limit` as people say it. */
export const words = (name: string): string => name.replaceAll("_", " ")
