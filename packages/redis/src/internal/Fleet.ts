/**
 * Who is there, and what happens when Redis is not.
 *
 * Redis has the word until a command fails; from then on the instance goes on by itself (`Own.ts`), and asks again every
 * now and then. Once Redis answers, it is told what this instance did meanwhile, and, if it has lost the state, all that
 * counts in this instance's windows. It has the word again when the others have told it too: after `settleIn`, and once
 * every instance that was there before has been heard of again. One that is not heard of any more is waited for until its
 * leases have ended; and where Redis has lost the state, until what that one has used is out of every window.
 */
import type { ProviderSpec } from "@route-llm/core"
import { adoptItem, unusedItem } from "./Batch.ts"
import type { Instance } from "./Instance.ts"
import type { Answer, Reply, StoreFailure } from "./Store.ts"

/** Who was there and not heard of any more, in one heartbeat; the others have their turn with the next ones. */
const mostDead = 16

/** Providers that only they knew, in one heartbeat. */
const mostStrangers = 64

/** Leases whose end is looked for, in one heartbeat: as many more with the next. */
const mostStrays = 256

const texts = (list: unknown): ReadonlyArray<string> => Array.isArray(list) ? list.map(String) : []

/** The next ones after this one, in a circle: whatever keeps one of them keeps none of the others. */
const turn = (ids: ReadonlyArray<string>, after: string): ReadonlyArray<string> => {
  const sorted = [...ids].sort()
  const from = sorted.filter((id) => id <= after).length
  return [...sorted.slice(from), ...sorted.slice(0, from)].slice(0, mostDead)
}

type Stranger = Pick<ProviderSpec, "name" | "model">

export class Fleet {
  /** This instance's leases in Redis of which it knows nothing, those that were not looked into yet first. */
  #strays: ReadonlyArray<string> = []
  #dead: ReadonlyArray<string> = []
  /** The one whose turn was last. */
  #lastDead = ""
  #heardOf: ReadonlyMap<string, number> = new Map()
  #contributedTo = Number.NaN
  /** Who was there when Redis was last heard of before it went. */
  #known: ReadonlyArray<string> = []
  /** Since when Redis has been back, by this process's clock and by its own. */
  #back: { readonly localMs: number; readonly serverMs: number } | undefined
  #hasLost = false

  constructor(readonly instance: Instance, readonly onMove: () => void) {}

  /** One heartbeat; `done` hears whether Redis has answered. */
  beat(done: (failure: StoreFailure | undefined) => void): void {
    const dead = turn(this.#dead, this.#lastDead)
    this.#dead = []
    this.#lastDead = dead.at(-1) ?? ""
    const waits = this.instance.mirror.line.length > 0
    const strays = this.#strays.slice(0, mostStrays)
    this.#snapshot({ flags: `1${waits ? 1 : 0}0`, dead, strays }, (answer) => {
      if (answer._tag === "StoreFailure") return done(answer)
      this.#heard(answer.reply)
      this.#endStrays(strays, answer.reply)
      const strangers = this.#strangers(answer.reply)
      if (strangers.length === 0) return done(undefined)
      this.#snapshot(
        { flags: "000", dead, strangers },
        (answer) => done(answer._tag === "StoreFailure" ? answer : undefined)
      )
    })
  }

  /** Every provider, read anew. */
  refresh(done: (failure: StoreFailure | undefined) => void): void {
    this.#snapshot({ flags: "000" }, (answer) => done(answer._tag === "StoreFailure" ? answer : undefined))
  }

  /** Says goodbye: the others need not wait for this instance to be dead. */
  close(done: () => void): void {
    this.#snapshot({ flags: "101" }, () => done())
  }

  /** Redis has failed: from now on without it. */
  leave(failure: StoreFailure): void {
    const { instance } = this
    const { onChange, options, settings } = instance.with_
    const before = instance.phase
    instance.phase = "away"
    this.#back = undefined
    // Not yet quite back: the shares are what they were.
    if (before !== "shared") return
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
      const isSettled = this.#back !== undefined && this.#isSettled(this.#back)
      this.#back ??= { localMs, serverMs: nowMs }
      this.#adopt()
      instance.flush(true)
      instance.phase = "settling"
      if (isSettled) this.#return()
      done()
    }
    // It is heard of again only after it has told what it did.
    if (this.#back === undefined) this.refresh(answered)
    else this.beat(answered)
  }

  /** Whether everyone has told Redis what he did while it was away. */
  #isSettled(back: { readonly localMs: number; readonly serverMs: number }): boolean {
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

  #heard(reply: Reply): void {
    const { instance } = this
    const { id } = instance.with_
    const scored = texts(reply[1])
    this.#heardOf = new Map(scored.flatMap((each, at) => at % 2 === 0 ? [[each, Number(scored[at + 1])]] : []))
    const alive = [...this.#heardOf.keys()].sort()
    if (instance.phase === "shared") this.#known = alive.filter((each) => each !== id)
    instance.place = {
      instances: Math.max(alive.length, instance.with_.options.instances),
      index: Math.max(0, alive.indexOf(id))
    }
    this.#dead = texts(reply[2]).filter((each) => each !== id)
  }

  /** Of whom leases of the dead are, and this instance has never heard: they are named by their keys. */
  #strangers(reply: Reply): ReadonlyArray<Stranger> {
    return texts(reply[5]).flatMap((key) => this.instance.with_.keys.specOf(key) ?? []).slice(0, mostStrangers)
  }

  /**
   * Leases that this instance knows nothing of, for the second time: an answer was lost on its way. Their providers are
   * as Redis has them, since they may be in nobody's list any more.
   */
  #endStrays(again: ReadonlyArray<string>, reply: Reply): void {
    const { instance } = this
    const { keys } = instance.with_
    const known = new Set([...instance.leases.values()].map(({ id }) => id))
    const isStray = (id: string) => id !== "#" && !known.has(id) && !instance.batches.isEnding(id)
    const strays = texts(reply[3]).filter(isStray)
    const providers = texts(reply[4])
    const ended = again.flatMap((id, at) => {
      const spec = keys.specOf(providers[at] ?? "")
      return spec === undefined || !isStray(id) ? [] : unusedItem(id, instance.born, spec)
    })
    const before = new Set(again)
    this.#strays = [...strays.filter((id) => !before.has(id)), ...strays.filter((id) => before.has(id))]
    for (const item of ended) instance.enqueue(item)
  }

  /** What this instance has granted itself, or Redis has forgotten, is held there from now on. */
  #adopt(): void {
    const { instance } = this
    for (const [reservation, lease] of instance.leases) {
      if (lease.born === instance.born) continue
      lease.born = instance.born
      lease.isAdopted = true
      instance.enqueue(adoptItem(lease.id, lease.spec, reservation))
    }
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
    this.#adopt()
  }

  #snapshot(
    { dead = [], flags, strangers = [], strays = [] }: {
      readonly flags: string
      readonly dead?: ReadonlyArray<string>
      readonly strangers?: ReadonlyArray<Stranger>
      readonly strays?: ReadonlyArray<string>
    },
    done: (answer: Answer) => void
  ): void {
    const { instance } = this
    const { id, keys, options } = instance.with_
    const { specs } = instance.mirror
    // What has ended here has ended there before this is read.
    instance.flush()
    instance.run(
      "snapshot",
      [
        keys.meta,
        keys.leases(id),
        keys.waiting,
        ...specs.map(keys.provider),
        keys.instances,
        ...dead.map(keys.leases),
        ...strangers.map(keys.provider)
      ],
      [
        id,
        String(specs.length),
        flags,
        String(options.leaseTtl),
        String(dead.length),
        ...specs.map(({ name }) => name),
        ...dead,
        ...strangers.map(({ name }) => name),
        ...strays
      ],
      (answer) => {
        if (answer._tag === "StoreFailure") return done(answer)
        const reader = instance.reader(answer.reply)
        const { born } = instance.head(reader)
        instance.mirror.ledger.lastResortMs = reader.double()
        instance.load(reader, specs, true)
        instance.tell(answer.reply, 6)
        if (instance.phase !== "away" && !Number.isNaN(instance.born)) instance.checkBirth(born)
        if (born !== instance.born && (instance.phase === "away" || Number.isNaN(instance.born))) {
          this.#contribute(born)
        }
        done(answer)
        instance.onPicture()
      }
    )
  }
}
