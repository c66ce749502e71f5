import { FastCheck as fc } from "effect"
import { expect, it } from "vitest"
import { FirstFit, type Item } from "../../src/internal/kernel/FirstFit.ts"

const action = fc.oneof(
  { weight: 5, arbitrary: fc.record({ does: fc.constant("add" as const), size: fc.nat(50), dueMs: fc.nat(50) }) },
  { weight: 3, arbitrary: fc.record({ does: fc.constant("remove" as const), at: fc.nat(200) }) },
  { weight: 3, arbitrary: fc.record({ does: fc.constant("find" as const), size: fc.integer({ min: -1, max: 51 }) }) }
)

it("finds what a list would, through growth, removals and closed gaps", () => {
  fc.assert(
    fc.property(fc.array(action, { minLength: 20, maxLength: 400 }), (actions) => {
      const queue = new FirstFit<Item>()
      const list: Array<Item> = []
      for (const action of actions) {
        if (action.does === "add") {
          const item = { size: action.size, dueMs: action.dueMs, slot: -1 }
          queue.add(item)
          list.push(item)
        } else if (action.does === "remove" && list.length > 0) {
          const [item] = list.splice(action.at % list.length, 1)
          queue.remove(item!)
          queue.remove(item!)
        } else if (action.does === "find") {
          expect(queue.first(action.size)).toBe(list.find(({ size }) => size <= action.size))
          expect(queue.last(action.size)).toBe(list.filter(({ size }) => size <= action.size).at(-1))
          const due = queue.due(action.size)
          expect(due === undefined).toBe(!list.some(({ dueMs }) => dueMs <= action.size))
          if (due !== undefined) expect(due.dueMs).toBeLessThanOrEqual(action.size)
        }
        expect(queue.length).toBe(list.length)
        expect(queue.minSize).toBe(Math.min(Infinity, ...list.map(({ size }) => size)))
        expect(queue.minDueMs).toBe(Math.min(Infinity, ...list.map(({ dueMs }) => dueMs)))
      }
      expect(queue.all()).toEqual(list)
    }),
    { numRuns: 200 }
  )
})

it("shrinks again: a line that was long once costs no memory for ever", () => {
  const queue = new FirstFit<Item>()
  const items = Array.from({ length: 5_000 }, (_, size): Item => ({ size, dueMs: Infinity, slot: -1 }))
  for (const item of items) queue.add(item)
  for (const item of items) queue.remove(item)
  for (let turn = 0; turn < 50_000; turn++) {
    const item = { size: 1, dueMs: Infinity, slot: -1 }
    queue.add(item)
    expect(item.slot).toBeLessThan(8_192)
    queue.remove(item)
  }
  expect(queue.length).toBe(0)
})
