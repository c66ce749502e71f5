/**
 * One instance's side of the shared state: everything that the operations, the heartbeat and the recovery work on, and
 * how an answer of Redis is taken in. Synchronous; Effect begins above it.
 */
import type { ProviderSpec, Reservation, RouterSettings, StateChange } from "@route-llm/core"
import { fields, monotonicMs } from "@route-llm/core/kernel"
import type { Clock } from "effect"
import { encodeBatch, type Item, type Numbered } from "./Batch.ts"
import { Batches } from "./Batches.ts"
import type { Keys } from "./keys.ts"
import { Mirror } from "./Mirror.ts"
import type { Settings } from "./options.ts"
import { Own, type Place } from "./Own.ts"
import { type Question, sendQuestions } from "./questions.ts"
import type { Layout, Scripts } from "./scripts.ts"
import { ServerClock } from "./ServerClock.ts"
import { type Answer, type Argument, type Reply, type Store, StoreFailure } from "./Store.ts"
import { asRow, decodeChanges, isOnce, rowOfDoubles, RowReader } from "./wire.ts"

/** A reservation that is not settled yet. */
export interface Lease {
  readonly id: string
  readonly spec: ProviderSpec
  /** The birth of the state that knows it; NaN: none does. */
  born: number
  /** A later state than the one that granted it has taken it over. */
  isAdopted?: boolean
  /** The others had ended it, and counted it as it was reserved. */
  isCounted?: boolean
}

/**
 * - `shared`: Redis has the word;
 * - `away`: this instance goes on by itself;
 * - `settling`: Redis is back and has been told everything, but perhaps not by everyone yet. A request needs both, a place
 *   in this instance's share and a grant of Redis, so that neither those who are still away nor those who are back
 *   already find that there is less than they count on.
 */
export type Phase = "shared" | "away" | "settling"

/** The first figures of every answer. */
interface Head {
  readonly nowMs: number
  readonly born: number
}

export interface InstanceOptions {
  readonly id: string
  readonly clock: Clock.Clock
  readonly keys: Keys
  readonly layout: Layout
  readonly scripts: Scripts
  readonly store: Store
  readonly settings: RouterSettings
  readonly options: Settings
  /** Time is this process's, and goes with each call. */
  readonly ownTime: boolean
  readonly onChange: (change: StateChange) => void
}

export class Instance {
  readonly mirror: Mirror
  readonly own: Own
  readonly batches: Batches
  readonly leases = new Map<Reservation, Lease>()
  /** The birth of the state as this instance knows it; NaN: it has never seen one. */
  born = Number.NaN
  phase: Phase = "shared"
  /** The layer closes: nothing is asked any more. */
  isClosed = false
  /** When Redis last went away. */
  awaySinceMs = Number.NEGATIVE_INFINITY
  place: Place
  /** Called when Redis has failed, or has lost what it held. */
  onFailure: (failure: StoreFailure) => void = () => {}
  /** Called when the picture has changed: somebody in line may fit now. */
  onPicture: () => void = () => {}
  #ids = 0
  /** Sent, and not answered. */
  readonly #underWay = new Set<ReadonlyArray<Numbered>>()
  /** What is under way must not be overtaken. */
  #isHeld = false
  /** What was to be told when Redis came back is being sent. */
  #isForced = false
  #isScheduled = false
  /** When Redis made each row, and in which state. */
  readonly #made = new Map<string, { readonly made: number; readonly born: number }>()
  /** Of the state whose answer is being read. */
  #answeredBorn = Number.NaN
  #questions: Array<Question> = []
  /** Of the command whose answer is being read. */
  #sentMs = 0
  readonly #serverClock: ServerClock

  constructor(readonly with_: InstanceOptions) {
    const { clock } = with_
    this.#serverClock = new ServerClock(clock.unsafeCurrentTimeMillis() - monotonicMs(clock))
    this.mirror = new Mirror(with_.settings)
    this.batches = new Batches(() => this.nowMs, with_.settings)
    // While Redis has the word, what changes is what it says.
    this.own = new Own(with_.settings, (change) => {
      if (this.phase !== "shared") with_.onChange(change)
    })
    this.place = { instances: with_.options.instances, index: 0 }
  }

  get localMs(): number {
    return monotonicMs(this.with_.clock)
  }

  /** Redis' time, as far as it is known. */
  get nowMs(): number {
    return this.with_.ownTime ? this.localMs : this.#serverClock.at(this.localMs)
  }

  /** Redis has granted this: it counts in this instance's own ledger as well. */
  record(reservation: Reservation): void {
    const { mirror: { specs }, nowMs, own } = this
    own.record(reservation, this.phase === "shared" ? specs : own.shares(specs, nowMs), nowMs)
  }

  nextId(): string {
    return (this.#ids++).toString(36)
  }

  /** How long an answer is waited for, as a moment of Redis' time. */
  get deadlineMs(): number {
    return this.with_.ownTime ? Infinity : this.nowMs + this.with_.options.commandTimeout
  }

  /**
   * Calls a script on these providers, with the keys and arguments that it has beside those of every call. `done` is told
   * what it has answered, or that Redis has failed.
   */
  run(
    script: keyof Scripts,
    specs: ReadonlyArray<Pick<ProviderSpec, "name" | "model">>,
    others: ReadonlyArray<string>,
    more: ReadonlyArray<Argument>,
    done: (answer: Answer) => void
  ): void {
    const { id, keys, scripts, store } = this.with_
    const sentMs = this.localMs
    const rows = specs.map(keys.provider)
    const made = rows.map((row) => {
      const known = this.#made.get(row)
      return known?.born === this.born ? known.made : 0
    })
    const allKeys = [keys.meta, keys.leases(id), keys.waiting, keys.instances, ...rows, ...others]
    const figures = rowOfDoubles(rows.length, this.born, sentMs, ...made)
    store.run(scripts[script], allKeys, [id, figures, ...more], (answer) => {
      this.#sentMs = sentMs
      try {
        done(answer)
      } catch (cause) {
        done(new StoreFailure({ reason: "refused", detail: `an answer that cannot be read (${String(cause)})` }))
      }
    })
  }

  /** Of the figures with which every answer begins. */
  reader([figures]: Reply): RowReader {
    return new RowReader(asRow(figures), this.with_.layout)
  }

  /** What every answer begins with: Redis' time, its state's birth. */
  head(reader: RowReader): Head {
    const nowMs = reader.double()
    if (!this.with_.ownTime) this.#serverClock.observe(nowMs, this.#sentMs, this.localMs)
    this.mirror.heardAtMs = this.localMs
    this.#answeredBorn = reader.double()
    return { nowMs, born: this.#answeredBorn }
  }

  /** The rows, which are the second part of an answer, of these providers, in this order. */
  load(reply: Reply, specs: ReadonlyArray<Pick<ProviderSpec, "name" | "model">>, full: boolean): void {
    const rows = Array.isArray(reply[1]) ? reply[1] : []
    specs.forEach((spec, index) => {
      const row = asRow(rows[index])
      const provider = this.mirror.find(spec)
      if (!full && provider !== undefined && this.mirror.isCurrent(provider, row)) return
      const record = new RowReader(row, this.with_.layout).record(full)
      const made = record.fields[fields.made] ?? 0
      this.#made.set(this.with_.keys.provider(spec), { made, born: this.#answeredBorn })
      if (provider !== undefined) this.mirror.load(provider, record, row)
    })
  }

  /** What the others hear from Redis, and this instance from its answer. */
  tell(reply: Reply, from: number): void {
    for (const change of decodeChanges(reply, from)) this.with_.onChange(change)
  }

  /** Something is to be told to Redis: soon. */
  enqueue(item: Item): void {
    this.batches.add(item)
    this.#soon()
  }

  /** Something is to be asked, after all that was to be told by then. */
  ask(question: Question): void {
    if (this.isClosed) return this.#decline(question)
    this.#questions.push(question)
    this.#soon()
  }

  /** What would be granted from now on is nobody's any more: what was not sent yet is not sent. */
  close(): void {
    this.isClosed = true
    for (const question of this.#questions.splice(0)) this.#decline(question)
    this.flush()
  }

  #decline({ done, held }: Question): void {
    this.mirror.withdraw(held)
    done(undefined)
  }

  /** At the end of this step: what ends and begins in it goes together. */
  #soon(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    queueMicrotask(() => {
      this.#isScheduled = false
      this.flush()
      sendQuestions(this, this.#questions.splice(0))
    })
  }

  /** Sends what is to be told now. While Redis is away it is kept; `force`: it may be back. */
  flush(force = false): void {
    this.#isForced ||= force
    while (this.batches.length > 0 && !this.#isHeld && (this.phase !== "away" || this.#isForced)) {
      const items = this.batches.next()
      if (items.length > 0) this.#send(items)
    }
    if (this.batches.length === 0) this.#isForced = false
  }

  /** Whether Redis has taken everything up to this number. */
  hasTold(number: number): boolean {
    return this.batches.oldest > number && [...this.#underWay].every(([first]) => first!.number > number)
  }

  #send(items: ReadonlyArray<Numbered>): void {
    const { keys } = this.with_
    const full = this.mirror.line.length > 0
    const { args, pins, specs } = encodeBatch(items, { keys, known: this.mirror.specs })
    const sentTo = this.born
    this.#underWay.add(items)
    if (items.some(({ row }) => isOnce(row))) this.#isHeld = true
    const head = rowOfDoubles(full ? 1 : 0, this.batches.taken)
    this.run("settle", specs, pins, [head, ...args], (answer) => {
      this.#underWay.delete(items)
      if (items.some(({ row }) => isOnce(row))) this.#isHeld = false
      /** Not taken: once more, unless a new state has been told everything meanwhile, this with it. */
      const again = () => {
        this.#isForced = false
        if (sentTo === this.born) this.batches.again(items)
        for (const { done } of items) done?.(false)
      }
      if (answer._tag === "StoreFailure") {
        again()
        return this.onFailure(answer)
      }
      const reader = this.reader(answer.reply)
      const { born } = this.head(reader)
      if (born !== sentTo) {
        again()
        return this.checkBirth(born)
      }
      if (sentTo === this.born) this.batches.took(items)
      this.mirror.ledger.lastResortMs = reader.double()
      this.load(answer.reply, specs, full)
      this.tell(answer.reply, 2)
      for (const { done } of items) done?.(true)
      this.flush()
      this.onPicture()
    })
  }

  /** Tells Redis this now; `done` hears whether it was taken. */
  sendNow(item: Item, done: (taken: boolean) => void): void {
    this.batches.add({ ...item, done })
    this.flush()
  }

  /** A state that came into being after the one this instance knows has lost what that one held. */
  checkBirth(born: number): void {
    if (born === this.born || Number.isNaN(this.born)) return
    this.onFailure(new StoreFailure({ reason: "lost", detail: "Redis has lost the state" }))
  }
}
