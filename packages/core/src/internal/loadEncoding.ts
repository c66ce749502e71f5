/**
 * An encoding from js-tiktoken's data. The package's own encoder is not used: it needs 17 s for 10,000 spaces.
 */
import { Effect } from "effect"
import { MissingPackage } from "../RouterError.ts"
import { BpeMerger } from "./BpeMerger.ts"
import { BpeVocabulary } from "./BpeVocabulary.ts"
import { type Encoding, TiktokenTokens } from "./tiktokenTokens.ts"

/** A module of `js-tiktoken/ranks`. */
interface RanksModule {
  readonly default: Ranks
}

interface Ranks {
  readonly pat_str: string
  readonly bpe_ranks: string
}

/** One for all layers of a process; it holds nothing of what it counted. */
const encodings = new WeakMap<Ranks, Encoding>()

const noMemory = { entries: 0, characters: 0, shortest: Number.POSITIVE_INFINITY }

/** Rounds of warming up, until the engine has compiled what counts: 50 ms. */
const rounds = 6

/** Runs what the first request would find uncompiled: the pattern for both widths of strings, merging, sampling. */
const warmUp = (encoding: Encoding, sample: string): void => {
  const tiktoken = new TiktokenTokens(encoding, noMemory)
  const unbroken = `\u{4f60}${sample.replaceAll(" ", "")}`
  for (let round = 0; round < rounds; round++) {
    for (const text of [sample, unbroken]) tiktoken.count([text])
  }
}

const toEncoding = (ranks: Ranks): Encoding => {
  const known = encodings.get(ranks)
  if (known !== undefined) return known
  const encoding = {
    pattern: new RegExp(ranks.pat_str, "gu"),
    pieces: new BpeMerger(new BpeVocabulary(ranks.bpe_ranks))
  }
  warmUp(encoding, ranks.bpe_ranks.slice(0, 16_000))
  encodings.set(ranks, encoding)
  return encoding
}

/** Whatever stops the import, a version that lacks the module included, an installation mends it. */
export const loadEncoding = (load: () => Promise<RanksModule>): Effect.Effect<Encoding, MissingPackage> =>
  Effect.tryPromise({
    try: load,
    catch: () => new MissingPackage({ package: "js-tiktoken", neededFor: "TokenEstimator.layerTiktoken" })
  }).pipe(Effect.map((module) => toEncoding(module.default)))
