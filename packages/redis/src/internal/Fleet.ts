/**
 * Who is there, and what happens when Redis is not.
 *
 * Redis has the word until a command fails; from then on the instance goes on by itself (`Own.ts`), and asks again every
 * now and then. Once Redis answers, it is told what this instance did meanwhile, and, if it has lost the state, all that
 * counts in this instance's windows. It has the word again when the others have told it too: after `settleIn`, and once
 * every instance that was there before has been heard of again. One that is not heard of any more is waited for until its
 * leases have ended; and where Redis has lost the state, until what that one has used is out of every window.
 */
import type { Instance } from "./Instance.ts"
import { Leases } from "./Leases.ts"
import { StoreFailure } from "./Store.ts"
import { type Asked, type Snapshot, takeSnapshot } from "./takeSnapshot.ts"

/** Who was there and not heard of any more, in one heartbeat; the others have their turn with the next ones. */
const mostDead = 16

/** Providers that only they knew, in one heartbeat. */
const mostStrangers = 64

/** The next ones after this one, in a circle: whatever keeps one of them keeps none of the others. */
const turn = (ids: ReadonlyArray<string>, after: string): ReadonlyArray<string> => {
  const sorted = [...ids].sort()
  const from = sorted.filter((id) => id <= after).length
  return [...sorted.slice(from), ...sorted.slice(0, from)].slice(0, mostDead)
}

const older = new StoreFailure({ reason: "lost", detail: "it has gone back to an older state" })

const failureOf = (heard: Snapshot | StoreFailure): StoreFailure | undefined =>
  heard._tag === "StoreFailure" ? heard : undefined

/** Redis is back: since when, by this process's clock and by its own, and up to which number there was something to tell. */
interface Back {
  readonly localMs: number
  readonly serverMs: number
  readonly number: number
}

export class Fleet {
  readonly #leases: Leases
  #dead: ReadonlyArray<string> = []
  /** The one whose turn was last. */
  #lastDead = ""
  #heardOf: ReadonlyMap<string, number> = new Map()
  #contributedTo = Number.NaN
  /** Who was there when Redis was last heard of before it went. */
  #known: ReadonlyArray<string> = []
  #back: Back | undefined
  #hasLost = false

  constructor(readonly instance: Instance, readonly onMove: () => void) {
    this.#leases = new Leases(instance)
  }

  /** One heartbeat; `done` hears whether Redis has answered. */
  beat(done: (failure: StoreFailure | undefined) => void): void {
    const dead = turn(this.#dead, this.#lastDead)
    this.#dead = []
    this.#lastDead = dead.at(-1) ?? ""
    const { strays } = this.#leases
    this.#take({ beats: true, dead, strays }, (heard) => {
      if (heard._tag === "StoreFailure") return done(heard)
      if (this.#leases.isOlder(heard)) return done(older)
      this.#heard(heard)
      this.#leases.compare(heard, strays)
      const strangers = heard.strangers.slice(0, mostStrangers)
      if (strangers.length === 0) return done(undefined)
      this.#take({ dead, strangers }, (heard) => done(failureOf(heard)))
    })
  }

  /** Every provider, read anew. */
  refresh(done: (failure: StoreFailure | undefined) => void): void {
    this.#take({}, (heard) => done(failureOf(heard)))
  }

  /** Says goodbye: the others need not wait for this instance to be dead. */
  close(done: () => void): void {
    this.#take({ beats: true, leaves: true }, () => done())
  }

  /** Redis has failed: from now on without it. */
  leave(failure: StoreFailure): void {
    const { instance } = this
    const { onChange, options, settings } = instance.with_
    const before = instance.phase
    instance.phase = "away"
    this.#back = undefined
    // Not yet quite back: the shares are what they were. Who has no share is in the shared line by then.
    if (before !== "shared") return before === "settling" ? this.onMove() : undefined
    const { localMs, mirror, nowMs, own, place } = instance
    instance.awaySinceMs = localMs
    this.#hasLost = failure.reason === "lost"
    own.begin(
      { ledger: mirror.ledger, unheardMs: localMs - mirror.heardAtMs },
      {
        place,
        isShared: options.onStateFailure !== "open",
        firstUntilMs: mirror.heardAtMs === Number.NEGATIVE_INFINITY ? nowMs : nowMs + settings.window + this.settleInMs
      },
      nowMs
    )
    onChange({
      _tag: "StateFailed",
      reason: failure.reason,
      message: failure.message,
      policy: options.onStateFailure,
      atMs: nowMs
    })
    this.onMove()
  }

  get settleInMs(): number {
    const { heartbeat, settleIn } = this.instance.with_.options
    return settleIn ?? 2 * heartbeat
  }

  /** Asks whether Redis is back, and what is to be done then; to be called now and then while it is away. */
  retry(done: () => void): void {
    const { instance } = this
    const answered = (failure: StoreFailure | undefined) => {
      if (failure !== undefined) {
        this.leave(failure)
        return done()
      }
      const { localMs, nowMs } = instance
      const back = this.#back
      this.#leases.adopt()
      instance.flush(true)
      this.#back ??= { localMs, serverMs: nowMs, number: instance.batches.newest }
      // Heard of again, it may ask.
      if (back !== undefined) instance.phase = "settling"
      if (back !== undefined && this.#isSettled(back)) this.#return()
      done()
    }
    // It is heard of again only after it has told what it did.
    if (this.#back !== undefined) {
      if (instance.hasTold(this.#back.number)) return this.beat(answered)
      instance.flush(true)
      return done()
    }
    this.#take({ compares: true }, (heard) => {
      if (heard._tag === "StoreFailure") return answered(heard)
      if (this.#leases.isOlder(heard)) this.#hasLost = true
      this.#leases.compare(heard)
      answered(undefined)
    })
  }

  /** Whether everyone has told Redis what he did while it was away. */
  #isSettled(back: Back): boolean {
    const { awaySinceMs, localMs, with_: { options, settings } } = this.instance
    const backMs = localMs - back.localMs
    if (backMs < this.settleInMs) return false
    const isThere = (id: string) => (this.#heardOf.get(id) ?? 0) >= back.serverMs
    if (this.#known.every(isThere)) return true
    const awayMs = localMs - awaySinceMs
    return backMs >= options.leaseTtl && (!this.#hasLost || awayMs >= settings.window + this.settleInMs)
  }

  #return(): void {
    const { instance } = this
    instance.phase = "shared"
    instance.with_.onChange({
      _tag: "StateRecovered",
      afterMs: instance.localMs - instance.awaySinceMs,
      atMs: instance.nowMs
    })
    this.onMove()
  }

  #heard({ away, heardOf }: Snapshot): void {
    const { instance } = this
    const { id } = instance.with_
    this.#heardOf = heardOf
    const alive = [...heardOf.keys()].sort()
    if (instance.phase === "shared") this.#known = alive.filter((each) => each !== id)
    instance.place = {
      instances: Math.max(alive.length, instance.with_.options.instances),
      index: Math.max(0, alive.indexOf(id))
    }
    this.#dead = away
  }

  /** The state is another one than this instance knows: it is told everything. */
  #contribute(born: number): void {
    const { instance } = this
    if (born === this.#contributedTo) return
    this.#contributedTo = born
    if (instance.phase !== "shared" && !Number.isNaN(instance.born)) this.#hasLost = true
    instance.born = born
    // What is to be told is in the windows already.
    instance.batches.clear()
    for (const item of instance.own.counts(instance.nowMs)) instance.enqueue(item)
    this.#leases.adopt()
  }

  #take(asked: Asked, done: (heard: Snapshot | StoreFailure) => void): void {
    takeSnapshot(this.instance, asked, (born) => this.#contribute(born), done)
  }
}
