import type { BreakerResult } from "../../src/internal/kernel/Breaker.ts"
import type { RouterSettings } from "../../src/RouterOptions.ts"

interface Result {
  readonly result: BreakerResult
  readonly atMs: number
}

/** The breaker's table by another way: nothing but the history since the last move, asked anew each time. */
export class BreakerModel {
  state: "closed" | "open" | "half_open" = "closed"
  epoch = 0
  #untilMs = 0
  #cooldownMs = 0
  /** Since the last move, in order; a result without a grant was granted before the ramp began. */
  #grants = 0
  #probeUntilMs = 0
  #results: Array<Result> = []
  #ramp: { readonly untilMs: number; readonly cooldownMs: number } | undefined

  constructor(readonly options: RouterSettings["breaker"]) {}

  refusal(nowMs: number): "circuit_open" | "probing" | "ramping" | undefined {
    switch (this.state) {
      case "open":
        return nowMs < this.#untilMs ? "circuit_open" : undefined
      case "half_open":
        return nowMs < this.#probeUntilMs ? "probing" : undefined
      case "closed":
        if (this.#ramp === undefined || nowMs >= this.#ramp.untilMs) return undefined
        return this.#grants - this.#results.length >= this.#most() ? "ramping" : undefined
    }
  }

  grant(nowMs: number): void {
    if (this.state === "open") this.#move("half_open")
    this.#grants++
    this.#probeUntilMs = nowMs + this.options.cooldown
  }

  result(epoch: number, result: BreakerResult, atMs: number): void {
    if (epoch !== this.epoch || this.state === "open") return
    this.#results.push({ result, atMs })
    if (result === "ignored") {
      if (this.state === "half_open" && atMs < this.#untilMs) this.open(this.#untilMs, this.#cooldownMs)
      else this.#probeUntilMs = atMs
      return
    }
    if (this.state === "closed") {
      if (result === "failure" && (this.#inARow() || this.#tooMany(atMs))) {
        const onRamp = this.#ramp !== undefined && atMs < this.#ramp.untilMs
        const cooldownMs = onRamp ? this.#grown(this.#ramp!.cooldownMs) : this.options.cooldown
        this.open(atMs + cooldownMs, cooldownMs)
      }
    } else if (result === "success") {
      this.close({ untilMs: atMs + this.options.ramp, cooldownMs: this.#cooldownMs })
    } else if (atMs < this.#untilMs) {
      this.open(this.#untilMs, this.#cooldownMs)
    } else {
      const cooldownMs = this.#grown(this.#cooldownMs)
      this.open(atMs + cooldownMs, cooldownMs)
    }
  }

  open(untilMs: number, cooldownMs: number): void {
    this.#move("open")
    this.#untilMs = untilMs
    this.#cooldownMs = cooldownMs
  }

  close(ramp: { readonly untilMs: number; readonly cooldownMs: number } | undefined): void {
    this.#move("closed")
    this.#ramp = ramp
  }

  #move(state: BreakerModel["state"]): void {
    this.state = state
    this.epoch++
    this.#grants = 0
    this.#results = []
    this.#ramp = undefined
  }

  #told(): ReadonlyArray<Result> {
    return this.#results.filter(({ result }) => result !== "ignored")
  }

  #inARow(): boolean {
    const last = this.#told().slice(-this.options.failureThreshold)
    return last.length === this.options.failureThreshold && last.every(({ result }) => result === "failure")
  }

  #tooMany(nowMs: number): boolean {
    const weighed = this.#told().map(({ atMs, result }) => ({
      result,
      weight: 0.5 ** ((nowMs - atMs) / this.options.halfLife)
    }))
    const sum = (each: ReadonlyArray<{ readonly weight: number }>) =>
      each.reduce((total, { weight }) => total + weight, 0)
    const calls = sum(weighed)
    const failed = sum(weighed.filter(({ result }) => result === "failure"))
    return calls >= this.options.minimumCalls && failed / calls >= this.options.errorRatio
  }

  #most(): number {
    return this.#told().reduce(
      (most, { result }) => result === "success" ? most + 1 : Math.max(1, Math.floor(most / 2)),
      1
    )
  }

  #grown(cooldownMs: number): number {
    return Math.min(2 * cooldownMs, this.options.maxCooldown)
  }
}
