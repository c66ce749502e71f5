/**
 * Instances of two versions of this package run on one Redis while an application is rolled out. The layout's version is
 * in the keys' names, so that none reads rows as what they are not: it has to be another one where the layout is.
 */
import { fields, initialWords, rows, wordFields, wordRows } from "@route-llm/core/kernel"
import { createHash } from "node:crypto"
import { expect, it } from "vitest"
import { layoutVersion, makeKeys } from "../src/internal/keys.ts"
import { layoutOf } from "../src/internal/scripts.ts"

/**
 * The digest of each version's layout, from the first on. Where the test fails because the layout has changed: make
 * `layoutVersion` one more, and add the digest that the test found. What has been released once is not changed here.
 */
const digests = ["718fcd0713bcb721"]

const digest = (): string => {
  const inOrder = (places: Readonly<Record<string, number>>) => Object.entries(places).sort(([, a], [, b]) => a - b)
  const dimensions = rows.map(({ dimension, span }) => [dimension, span])
  // What lies where, and how many bytes: of several numbers of buckets, since the number itself is in the keys' names.
  const cells = [4, 60, 240].map(layoutOf)
  const layout = {
    cells,
    dimensions,
    fields: inOrder(fields),
    initialWords: initialWords.map(String),
    wordRows,
    words: inOrder(wordFields)
  }
  return createHash("sha256").update(JSON.stringify(layout)).digest("hex").slice(0, 16)
}

it("a layout that has changed has a version of its own", () => {
  expect(digests).toHaveLength(layoutVersion)
  expect(digests[layoutVersion - 1]).toBe(digest())
  expect(new Set(digests).size).toBe(digests.length)
})

it("the version is in every key's name", () => {
  const { instances, leases, meta, pin, provider, waiting } = makeKeys({ namespace: "n", windowMs: 1, buckets: 4 })
  const names = [instances, leases("i"), meta, pin("s"), provider({ name: "a", model: "m" }), waiting]
  expect(names.filter((name) => !name.startsWith(`route-llm:v${layoutVersion}:{n}:1x4:`))).toEqual([])
})
