const plain = (key: string): string => key.toLowerCase().replace(/[^a-z0-9]/g, "")

/** Levenshtein's distance, one row at a time. */
const distance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const substituted = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(substituted, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[b.length]!
}

/**
 * Which known key was probably meant: at most two edits away, or one that the written key is a part of (`rpm` for
 * `rpmLimit`). Case and separators do not count. Keys longer than 40 signs are nobody's near miss.
 */
export const nearest = (written: string, known: ReadonlyArray<string>): string | undefined => {
  const target = plain(written)
  if (target.length < 3 || target.length > 40) return undefined
  const [best] = known
    .map((key) => ({ key, edits: distance(target, plain(key)), within: plain(key).includes(target) }))
    .filter(({ edits, within }) => edits <= 2 || within)
    .sort((a, b) => a.edits - b.edits)
  return best?.key
}
