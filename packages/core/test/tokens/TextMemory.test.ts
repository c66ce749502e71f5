import { FastCheck as fc } from "effect"
import { describe, expect, it } from "vitest"
import { TextMemory } from "../../src/internal/TextMemory.ts"

const text = (letter: string, characters: number) => letter.repeat(characters)

describe("TextMemory", () => {
  it("pushes out the least recently used beyond its entries", () => {
    const memory = new TextMemory({ entries: 2, characters: 1_000, shortest: 1 })
    memory.set("a", 1)
    memory.set("b", 2)
    expect(memory.get("a")).toBe(1)
    memory.set("c", 3)
    expect([memory.get("a"), memory.get("b"), memory.get("c")]).toEqual([1, undefined, 3])
  })

  it("pushes out as many as it takes to hold its characters", () => {
    const memory = new TextMemory({ entries: 100, characters: 100, shortest: 1 })
    for (const letter of ["a", "b", "c", "d"]) memory.set(text(letter, 25), 7)
    memory.set(text("e", 60), 8)
    expect(["a", "b", "c", "d"].map((letter) => memory.get(text(letter, 25)))).toEqual([
      undefined,
      undefined,
      undefined,
      7
    ])
    expect(memory.get(text("e", 60))).toBe(8)
  })

  it("keeps no text that is too short to gain, and none that is larger than the whole memory", () => {
    const memory = new TextMemory({ entries: 100, characters: 100, shortest: 10 })
    memory.set(text("a", 50), 1)
    memory.set(text("b", 9), 2)
    memory.set(text("c", 101), 3)
    expect([memory.get(text("a", 50)), memory.get(text("b", 9)), memory.get(text("c", 101))]).toEqual([
      1,
      undefined,
      undefined
    ])
  })

  it("replaces a count without counting its characters twice", () => {
    const memory = new TextMemory({ entries: 100, characters: 100, shortest: 1 })
    memory.set(text("a", 40), 1)
    memory.set(text("b", 40), 1)
    memory.set(text("b", 40), 2)
    expect([memory.get(text("a", 40)), memory.get(text("b", 40))]).toEqual([1, 2])
  })

  it("does as a list that is searched, on any operations", () => {
    const bounds = { entries: 3, characters: 12, shortest: 2 }
    const operation = fc.record({ set: fc.boolean(), letter: fc.constantFrom("a", "b", "c", "d"), size: fc.nat(7) })
    const check = fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
      const memory = new TextMemory(bounds)
      let model: Array<readonly [text: string, tokens: number]> = []
      operations.forEach(({ letter, set, size }, index) => {
        const key = text(letter, size)
        const found = model.find(([known]) => known === key)
        if (!set) expect(memory.get(key)).toBe(found?.[1])
        else memory.set(key, index)
        const entry = set ? [key, index] as const : found
        if (entry === undefined || size < bounds.shortest) return
        model = [...model.filter(([known]) => known !== key), entry]
        const characters = () => model.reduce((sum, [known]) => sum + known.length, 0)
        while (model.length > bounds.entries || characters() > bounds.characters) model.shift()
      })
      for (const [key, tokens] of model) expect(memory.get(key)).toBe(tokens)
    })
    fc.assert(check)
  })
})
