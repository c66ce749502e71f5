/** The random part of one call. Each takes the same number of draws, whatever it uses of them. */
import { Utils } from "effect"

/** A standard normal draw (Box and Muller); 1 − u keeps the logarithm away from 0. */
export const normal = (random: Utils.PCGRandom): number =>
  Math.sqrt(-2 * Math.log(1 - random.number())) * Math.cos(2 * Math.PI * random.number())

export interface Draws {
  /** Uniform in [0, 1): the way there and the way back. */
  readonly there: number
  readonly back: number
  /** Standard normal: the time to the first token. */
  readonly firstToken: number
  /** Uniform: whether the answer is in the tail. */
  readonly tail: number
  /** Uniform: whether a condition meets it. */
  readonly condition: number
}

export const makeDraws = (seed: number): () => Draws => {
  const random = new Utils.PCGRandom(seed)
  return () => ({
    there: random.number(),
    back: random.number(),
    firstToken: normal(random),
    tail: random.number(),
    condition: random.number()
  })
}
