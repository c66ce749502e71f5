/** What other instances publish: that something has been freed, and what has changed. */
import type { StateChange } from "@route-llm/core"
import type { Fleet } from "./Fleet.ts"
import type { Instance } from "./Instance.ts"
import { decodeChange } from "./wire.ts"

interface ListenerParts {
  /** Whose own words are not news. */
  readonly id: string
  readonly instance: Instance
  readonly fleet: Fleet
  readonly onChange: (change: StateChange) => void
}

export class Listener {
  #heard = 0
  #isReading = false
  #isStale = false

  constructor(readonly parts: ListenerParts) {}

  /** How often something was heard. Whoever asks Redis keeps it, for `joined`. */
  get heard(): number {
    return this.#heard
  }

  readonly hear = (message: string): void => {
    const { id, instance, onChange } = this.parts
    const [sender, said] = parsed(message)
    if (sender === id || sender === undefined) return
    this.#heard++
    const change = decodeChange(said)
    if (change !== undefined) onChange(change)
    if (instance.mirror.line.length > 0) this.#look()
  }

  /**
   * Somebody is in line now, whose question went out when `heard` was this much. What was freed since then was not there
   * for the answer, and nobody was in line yet who would have been told.
   */
  joined(heard: number): void {
    if (heard !== this.#heard) this.#look()
  }

  #look(): void {
    if (this.parts.instance.phase !== "shared") return
    this.#isStale = true
    if (!this.#isReading) this.#refresh()
  }

  #refresh(): void {
    const { fleet, instance } = this.parts
    this.#isStale = false
    this.#isReading = true
    fleet.refresh((failure) => {
      this.#isReading = false
      if (failure !== undefined) instance.onFailure(failure)
      else if (this.#isStale) this.#refresh()
    })
  }
}

const parsed = (message: string): ReadonlyArray<unknown> => {
  try {
    const read: unknown = JSON.parse(message)
    return Array.isArray(read) ? read : []
  } catch {
    return []
  }
}
