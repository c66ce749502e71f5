/**
 * What an estimate costs and how near it is. Prints
 *
 * - ms for a megabyte of nine kinds of text, cold: each measured in a process of its own, in which nothing was counted
 *   before (the vocabulary is loaded), the median and the fastest of several; beside it js-tiktoken's own encoder, warm, by a tenth of
 *   the text, on the kinds that it ends on;
 * - estimate ÷ exact count for ten kinds of text of about 4 kB, before anything was learned and after 30 answers.
 */
import { Effect } from "effect"
import { Tiktoken } from "js-tiktoken/lite"
import o200k from "js-tiktoken/ranks/o200k_base"
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { LearnedTokens } from "../src/internal/kernel/LearnedTokens.ts"
import { TokenEstimator } from "../src/TokenEstimator.ts"
import { megabytes, samples } from "../test/tokens/samples.ts"

const layers = { heuristic: TokenEstimator.layerHeuristic, tiktoken: TokenEstimator.layerTiktoken }
type LayerName = keyof typeof layers
type MegabyteName = keyof typeof megabytes

const budgetsMs = { heuristic: 4, tiktoken: 15 }
const processes = 3
const answers = 30

/** What a message and the answer add to its text. */
const ofRequest = 7

/** Kinds whose pieces are short: js-tiktoken's encoder is worse than quadratic on others. */
const safeForJsTiktoken: ReadonlySet<string> = new Set(["English", "code", "Chinese"])

const request = (content: string) => ({ messages: [{ role: "user" as const, content }] })

const estimatorOf = (layer: LayerName) => Effect.runPromise(Effect.provide(TokenEstimator, layers[layer]))

const timed = <A>(run: () => A): readonly [ms: number, result: A] => {
  const started = process.hrtime.bigint()
  const result = run()
  return [Number(process.hrtime.bigint() - started) / 1e6, result]
}

/** What the child process does: one estimate, of a text that is flat in memory as a parsed request is. */
const measureHere = async (layer: LayerName, name: MegabyteName) => {
  const text: string = JSON.parse(JSON.stringify(megabytes[name]()))
  const estimator = await estimatorOf(layer)
  const [ms, tokens] = timed(() => Effect.runSync(estimator.estimate(request(text))))
  console.log(JSON.stringify({ ms, tokens }))
}

interface Measured {
  readonly ms: number
  readonly tokens: number
  readonly fastestMs: number
}

const measureCold = (layer: LayerName, name: MegabyteName): Measured => {
  const runs = Array.from({ length: processes }, () => {
    const args = [...process.execArgv, fileURLToPath(import.meta.url), layer, name]
    return JSON.parse(spawnSync(process.execPath, args, { encoding: "utf8" }).stdout)
  })
  runs.sort((left, right) => left.ms - right.ms)
  return { ...runs[processes >> 1], fastestMs: runs[0].ms }
}

let tiktoken: Tiktoken | undefined

const exactTokens = (text: string): number => {
  tiktoken ??= new Tiktoken(o200k)
  return tiktoken.encode(text, [], []).length
}

const printCold = () => {
  exactTokens("build it before it is timed")
  console.log(`ms for 1 MB, cold: median and fastest of ${processes}, tokens; budgets ${JSON.stringify(budgetsMs)}`)
  console.log("text                        heuristic                 tiktoken   js-tiktoken's encoder")
  for (const name of Object.keys(megabytes) as Array<MegabyteName>) {
    const cells = (["heuristic", "tiktoken"] as const).map((layer) => {
      const { fastestMs, ms, tokens } = measureCold(layer, name)
      return `${ms.toFixed(1).padStart(8)} ${fastestMs.toFixed(1).padStart(6)} ${String(tokens).padStart(8)}`
    })
    console.log(name.padEnd(18), cells.join("  "), `  ${jsTiktokenFigures(name)}`)
  }
}

const jsTiktokenFigures = (name: MegabyteName): string => {
  if (!safeForJsTiktoken.has(name)) return "    not safe"
  const text = megabytes[name]()
  const [ms, tokens] = timed(() => exactTokens(text.slice(0, text.length / 10)))
  return `${(10 * ms).toFixed(0).padStart(8)} ${String(10 * tokens).padStart(8)}`
}

/** The text from another place on: another request of the same kind. */
const turned = (text: string, nth: number): string => {
  const at = nth * 97 % text.length
  return text.slice(at) + text.slice(0, at)
}

const printError = async () => {
  console.log(`\nestimate ÷ exact count, about 4 kB; learned from ${answers} answers`)
  console.log("text            heuristic   learned    tiktoken   learned")
  const estimators = [await estimatorOf("heuristic"), await estimatorOf("tiktoken")]
  for (const [name, text] of Object.entries(samples)) {
    const requests = Array.from({ length: answers + 1 }, (_, nth) => turned(text, nth))
    const actual = requests.map((each) => exactTokens(each) + ofRequest)
    const ratios = estimators.flatMap((estimator) => {
      const estimated = requests.map((each) => Effect.runSync(estimator.estimate(request(each))))
      const learned = new LearnedTokens(0)
      for (let nth = 0; nth < answers; nth++) learned.learnInput(actual[nth]!, estimated[nth]!)
      const before = estimated[answers]! / actual[answers]!
      return [before, before * learned.inputRatio]
    })
    console.log(name.padEnd(14), ratios.map((ratio) => ratio.toFixed(3).padStart(10)).join(" "))
  }
}

const [layer, name] = process.argv.slice(2)
if (layer !== undefined) await measureHere(layer as LayerName, name as MegabyteName)
else {
  printCold()
  await printError()
}
