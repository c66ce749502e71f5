/**
 * Asks Redis how every provider stands, and whatever else a snapshot tells; see `lua/snapshot.ts`.
 */
import type { ProviderSpec } from "@route-llm/core"
import type { Instance } from "./Instance.ts"
import { type Answer, StoreFailure } from "./Store.ts"
import { rowOfDoubles } from "./wire.ts"

/** A provider as its key names it. */
export type Named = Pick<ProviderSpec, "name" | "model">

export interface Asked {
  /** This instance is there; also compares. */
  readonly beats?: boolean
  /** It is there no more. */
  readonly leaves?: boolean
  /** What Redis holds of this instance is wanted. */
  readonly compares?: boolean
  /** Whose leases are to be ended. */
  readonly dead?: ReadonlyArray<string>
  /** Providers that only they knew. */
  readonly strangers?: ReadonlyArray<Named>
  /** Leases of this instance of which the provider is wanted. */
  readonly strays?: ReadonlyArray<string>
}

export interface Snapshot {
  readonly _tag: "Snapshot"
  /** Who is there, and when each was last heard of. */
  readonly heardOf: ReadonlyMap<string, number>
  /** Who is not heard of any more, and has not left. */
  readonly away: ReadonlyArray<string>
  /** This instance's leases in Redis. */
  readonly open: ReadonlySet<string>
  /** Of the strays that were asked about, in their order; `undefined`: it has ended. */
  readonly strays: ReadonlyArray<Named | undefined>
  /** Providers of the dead's leases that are not known here. */
  readonly strangers: ReadonlyArray<Named>
  /** The highest number of what this instance has told, as Redis knows it; NaN: it does not. */
  readonly told: number
  /** What was known when it was asked: whatever came later Redis may not have known yet. */
  readonly before: Known
}

interface Known {
  readonly born: number
  /** Leases that this state had granted or taken over, ended since or not. */
  readonly leases: ReadonlySet<string>
  /** The highest number of what Redis had taken; -1: this state may have never heard of this instance. */
  readonly taken: number
}

const texts = (list: unknown): ReadonlyArray<string> => Array.isArray(list) ? list.map(String) : []

/** Beside an instance's leases: what it has told, while it is there and after. */
const numbers = new Set(["#", "~"])

const known = ({ batches, born, leases }: Instance): Known => {
  const { adopting } = batches
  const held = [...leases.values()].flatMap((lease) => lease.born === born ? lease.id : [])
  return {
    born,
    leases: new Set([...held, ...batches.leases(born)].filter((id) => !adopting.has(id))),
    taken: batches.taken
  }
}

/** `onBirth`: Redis' state is one that this instance does not know, and it does not count on another one. */
export const takeSnapshot = (
  instance: Instance,
  { beats = false, compares = false, dead = [], leaves = false, strangers = [], strays = [] }: Asked,
  onBirth: (born: number) => void,
  done: (heard: Snapshot | StoreFailure) => void
): void => {
  const { id, keys, options } = instance.with_
  const { specs } = instance.mirror
  // What has ended here has ended there before this is read.
  instance.flush()
  const before = known(instance)
  const waits = beats && instance.mirror.line.length > 0
  const read = (answer: Answer): Snapshot | StoreFailure => {
    if (answer._tag === "StoreFailure") return answer
    const { reply } = answer
    const reader = instance.reader(reply)
    const { born } = instance.head(reader)
    instance.mirror.ledger.lastResortMs = reader.double()
    instance.load(reply, specs, true)
    instance.tell(reply, 8)
    if (instance.phase !== "away" && !Number.isNaN(instance.born)) instance.checkBirth(born)
    if (born !== instance.born && (instance.phase === "away" || Number.isNaN(instance.born))) onBirth(born)
    const scored = texts(reply[2])
    return {
      _tag: "Snapshot",
      heardOf: new Map(scored.flatMap((each, at) => at % 2 === 0 ? [[each, Number(scored[at + 1])]] : [])),
      away: texts(reply[3]).filter((each) => each !== id),
      open: new Set(texts(reply[4]).filter((each) => !numbers.has(each))),
      strays: texts(reply[5]).map(keys.specOf),
      strangers: texts(reply[6]).flatMap((key) => keys.specOf(key) ?? []),
      told: Number.parseFloat(String(reply[7])),
      before
    }
  }
  instance.run(
    "snapshot",
    specs,
    [...dead.map(keys.leases), ...strangers.map(keys.provider)],
    [
      rowOfDoubles(
        ...[beats, waits, leaves, compares].map(Number),
        options.leaseTtl,
        dead.length,
        before.taken
      ),
      ...dead,
      ...strays
    ],
    (answer) => {
      const heard = read(answer)
      done(heard)
      if (heard._tag === "Snapshot") instance.onPicture()
    }
  )
}
