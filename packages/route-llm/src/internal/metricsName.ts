interface Name {
  readonly name: string
  /** The router is closed. */
  readonly giveBack: () => void
}

/** Of the routers in this process that are open, and how many have each. */
const taken = new Map<string, number>()

const smallestFree = (): string => {
  let number = 1
  while (taken.has(String(number))) number++
  return String(number)
}

/**
 * What a router's metrics call it (label `router`): its own name, or the smallest number that no open one is called by. So
 * the registry of metrics, which forgets nothing, grows with the routers that are open at one time, not with all there
 * were; counters go on where those of the last one of that name have ended.
 */
export const takeName = (own: string | undefined): Name => {
  const name = own ?? smallestFree()
  taken.set(name, (taken.get(name) ?? 0) + 1)
  const giveBack = () => {
    const others = (taken.get(name) ?? 1) - 1
    if (others > 0) taken.set(name, others)
    else taken.delete(name)
  }
  return { name, giveBack }
}
