/**
 * The random part of one answer. Each request takes the same number of draws, whatever it uses of them, so the n-th
 * request meets the same ones in every run of one seed.
 */
import { Hash } from "effect"
import { PCGRandom } from "effect/Utils"

export interface Draws {
  /** Standard normal: the length of the answer. */
  readonly length: number
  /** Standard normal: the time to the first token. */
  readonly firstToken: number
  /** Uniform in [0, 1): whether the answer is in the tail. */
  readonly tail: number
}

export const makeDraws = (seed: string): () => Draws => {
  const random = new PCGRandom(Hash.string(seed))
  return () => {
    // Box–Muller gives two independent normals for two uniforms; 1 - u keeps the logarithm away from 0.
    const radius = Math.sqrt(-2 * Math.log(1 - random.number()))
    const angle = 2 * Math.PI * random.number()
    return { length: radius * Math.cos(angle), firstToken: radius * Math.sin(angle), tail: random.number() }
  }
}
