/**
 * The vendor's time and how vendors write it. A vendor's clock runs `speed` times as fast as the wall's, and every
 * duration inside the vendor is of that clock; what goes out on the wire is divided by `speed`, since the one who
 * reads it waits in real time. At speed 1 it reads exactly as at the vendor.
 */
export class VendorClock {
  readonly speed: number
  readonly #startMs = performance.now()

  constructor(speed: number) {
    this.speed = speed
  }

  /** Vendor's ms since the vendor was made; monotonic. */
  now(): number {
    return (performance.now() - this.#startMs) * this.speed
  }

  unixSeconds(): number {
    return Math.floor(unixMs() / 1000)
  }

  /** Whole seconds of the vendor's time, rounded up, as in Retry-After: `"20"`. */
  seconds(ms: number): string {
    return String(Math.ceil(Math.ceil(ms / 1000) * 1000 / this.speed) / 1000)
  }

  /** `"123ms"`, `"7.66s"`, `"6m0s"`, `"1h0m0s"`, rounded up to the ms. */
  goDuration(ms: number): string {
    const wireMs = this.wireMs(ms)
    if (wireMs < 1000) return wireMs === 0 ? "0s" : `${wireMs}ms`
    const hours = Math.floor(wireMs / 3_600_000)
    const minutes = Math.floor(wireMs / 60_000) % 60
    const seconds = `${wireMs % 60_000 / 1000}s`
    if (hours > 0) return `${hours}h${minutes}m${seconds}`
    return minutes > 0 ? `${minutes}m${seconds}` : seconds
  }

  /** A protobuf duration in JSON: `"10.68s"`, rounded up to the ms. */
  protoDuration(ms: number): string {
    return `${this.wireMs(ms) / 1000}s`
  }

  /** The date in `ms`, rounded up to a second of the vendor's time: `"2026-01-01T00:00:20Z"`. */
  rfc3339(ms: number): string {
    const secondMs = 1000 / this.speed
    const date = new Date(Math.ceil((unixMs() + ms / this.speed) / secondMs) * secondMs)
    return date.toISOString().replace(".000Z", "Z")
  }

  /** Real ms, rounded up. */
  wireMs(ms: number): number {
    return Math.ceil(ms / this.speed)
  }
}

const unixMs = () => performance.timeOrigin + performance.now()
