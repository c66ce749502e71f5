/**
 * What Redis holds of this instance against what this instance knows: each may have lost sight of something that the
 * other has.
 */
import type { Reservation } from "@route-llm/core"
import { adoptItem, unusedItem } from "./Batch.ts"
import type { Instance, Lease } from "./Instance.ts"
import type { Snapshot } from "./takeSnapshot.ts"

/** Leases whose end is looked for, in one heartbeat: as many more with the next. */
const mostStrays = 256

export class Leases {
  /** Those in Redis of which this instance knows nothing; first those that were not looked into yet. */
  #strays: ReadonlyArray<string> = []

  constructor(readonly instance: Instance) {}

  /** What the next heartbeat is to find out more about. */
  get strays(): ReadonlyArray<string> {
    return this.#strays.slice(0, mostStrays)
  }

  /** What this instance has granted itself, or Redis has forgotten, is held there from now on. */
  adopt(): void {
    for (const [reservation, lease] of this.instance.leases) {
      if (lease.born !== this.instance.born) this.#adopt(reservation, lease)
    }
  }

  /**
   * Redis has gone back behind what it had taken from this instance: it was started from an older file, or a replica that
   * had not heard of it yet is the master now. What else it has forgotten cannot be told from here.
   */
  isOlder({ before, told }: Snapshot): boolean {
    return before.born === this.instance.born && !((Number.isNaN(told) ? -1 : told) >= before.taken)
  }

  /** To be told with each snapshot that compares. `strays`: those that it was asked about. */
  compare(snapshot: Snapshot, strays: ReadonlyArray<string> = []): void {
    const { batches, born } = this.instance
    if (snapshot.before.born !== born) return
    const isOlder = this.isOlder(snapshot)
    this.#hold(snapshot, !isOlder)
    if (isOlder) batches.tellAgain(snapshot.told)
    else batches.took([])
    this.#endStrays(snapshot, strays)
  }

  /**
   * Leases that Redis does not have any more. This instance was not heard of for so long that the others took it for dead
   * and ended them, each counted as it was reserved (`isCounted`); or an older state has never known them. Calls that are
   * under way are held again; of those that have ended meanwhile what is not counted yet is.
   */
  #hold({ before, open }: Snapshot, isCounted: boolean): void {
    const { batches, born, leases } = this.instance
    const ended = new Set([...before.leases].filter((id) => !open.has(id)))
    if (ended.size === 0) return
    for (const [reservation, lease] of leases) {
      if (lease.born !== born || !ended.has(lease.id)) continue
      lease.isCounted = isCounted
      this.#adopt(reservation, lease)
    }
    batches.release(ended, isCounted)
  }

  /**
   * Leases that this instance knows nothing of, for the second time: an answer was lost on its way. Their providers are
   * as Redis has them, since they may be in nobody's list any more.
   */
  #endStrays({ open, strays }: Snapshot, asked: ReadonlyArray<string>): void {
    const { instance } = this
    const known = new Set([...instance.leases.values()].map(({ id }) => id))
    const { about } = instance.batches
    const isStray = (id: string) => !known.has(id) && !about.has(id)
    const before = new Set(asked)
    const again = [...open].filter(isStray)
    this.#strays = [...again.filter((id) => !before.has(id)), ...again.filter((id) => before.has(id))]
    asked.forEach((id, at) => {
      const spec = strays[at]
      if (spec !== undefined && isStray(id)) instance.enqueue(unusedItem(id, instance.born, spec))
    })
  }

  #adopt(reservation: Reservation, lease: Lease): void {
    lease.born = this.instance.born
    lease.isAdopted = true
    this.instance.enqueue(adoptItem(lease.id, lease.spec, reservation))
  }
}
