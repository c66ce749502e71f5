import { Tiktoken } from "js-tiktoken/lite"
import o200k from "js-tiktoken/ranks/o200k_base"

const tiktoken = new Tiktoken(o200k)

/** As js-tiktoken's own encoder counts. Only for texts without long unbroken runs: it is quadratic on them. */
export const exactTokens = (text: string): number => tiktoken.encode(text, [], []).length
