import type { LatencyModel } from "../LatencyModel.ts"

/** How one answer is paced, in the vendor's time. */
export interface Pace {
  readonly firstTokenMs: number
  readonly perTokenMs: number
}

export const paceOf = (
  model: LatencyModel,
  draws: { readonly normal: number; readonly uniform: number },
  slowness = 1
): Pace => {
  const tail = model.tail !== undefined && draws.uniform < model.tail.share ? model.tail.factor : 1
  return {
    firstTokenMs: slowness * tail * model.firstTokenMs * Math.exp((model.sigma ?? 0) * draws.normal),
    perTokenMs: slowness * tail * model.perTokenMs
  }
}
