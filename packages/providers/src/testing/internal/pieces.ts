/** An answer in the pieces in which it is streamed: a word each, or a few characters of a call's arguments. */
import type { Answer } from "./VendorFormat.ts"

export type Piece =
  | { readonly kind: "text"; readonly text: string; readonly tokens: number }
  | {
    readonly kind: "call"
    readonly index: number
    /** Of the first piece of a call, whose `json` is empty. */
    readonly name?: string
    readonly json: string
    readonly tokens: number
  }

const charactersPerPiece = 4

export const piecesOf = ({ calls, text }: Pick<Answer, "calls" | "text">): ReadonlyArray<Piece> => [
  ...(text.match(/\S+\s*/g) ?? []).map((word): Piece => ({ kind: "text", text: word, tokens: 1 })),
  ...calls.flatMap(({ args, name }, index): ReadonlyArray<Piece> => [
    { kind: "call", index, name, json: "", tokens: 1 },
    ...(JSON.stringify(args).match(new RegExp(`.{1,${charactersPerPiece}}`, "gs")) ?? [])
      .map((json): Piece => ({ kind: "call", index, json, tokens: 1 }))
  ])
]
