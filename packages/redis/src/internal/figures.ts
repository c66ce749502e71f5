/** Single figures of an item of a batch, in place. */
import { itemFields, type ItemName } from "./item.ts"

export const figure = (row: Buffer, name: ItemName): number => row.readDoubleLE(itemFields[name] * 8)

/** A copy with other figures. */
const withFigures = (row: Buffer, figures: Partial<Record<ItemName, number>>): Buffer => {
  const out = Buffer.from(row)
  for (const [name, place] of Object.entries(itemFields)) {
    const value = figures[name as ItemName] // its own key
    if (value !== undefined) out.writeDoubleLE(value, place * 8)
  }
  return out
}

/** How a call ended, less what was counted of it as it was reserved: what came later, or was more. */
export const lessCounted = (row: Buffer): Buffer => {
  const more = Math.max(0, figure(row, "input") - figure(row, "inputTokens"))
  return withFigures(row, { requests: 0, dayRequests: 0, input: more })
}

/** The same where no lease holds anything for it any more. */
export const withoutLease = (row: Buffer): Buffer => withFigures(row, { born: Number.NaN })
