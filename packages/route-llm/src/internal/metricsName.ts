interface Name {
  readonly name: string
  /** The router is closed. */
  readonly giveBack: () => void
}

/** Of the routers in this process that are open and have no name of their own. */
const taken = new Set<number>()

/**
 * What a router's metrics call it (label `router`): its own name, or the smallest number that no open one has. So the
 * registry of metrics, which forgets nothing, grows with the routers that are open at one time, not with all there were.
 */
export const takeName = (own: string | undefined): Name => {
  if (own !== undefined) return { name: own, giveBack: () => {} }
  let number = 1
  while (taken.has(number)) number++
  taken.add(number)
  return { name: String(number), giveBack: () => void taken.delete(number) }
}
