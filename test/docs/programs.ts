import { execFile } from "node:child_process"
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { basename } from "node:path"
import { fileURLToPath } from "node:url"
import { bundled } from "../bundled.ts"
import { type CodeBlock, matchesOutput } from "./codeBlocks.ts"

const root = fileURLToPath(new URL("../../", import.meta.url))

/** A code block in a file of its own, on the lines that it has in the document, so that errors point there. */
export interface Program extends CodeBlock {
  readonly name: string
  readonly path: string
}

const compilerOptions = {
  noEmit: true,
  composite: false,
  declarationMap: false,
  noUnusedLocals: false,
  types: ["node"]
}

/** A fresh folder for programs, under `examples`: its package.json has what a reader would have installed. */
export const programsIn = (suite: string) => {
  const directory = `examples/.cache/${suite}`
  rmSync(root + directory, { recursive: true, force: true })
  mkdirSync(root + directory, { recursive: true })
  // `files` is there for a folder that stays empty, which the compiler would refuse.
  const tsconfig = { extends: "../../../tsconfig.base.json", compilerOptions, include: ["*.ts"], files: ["empty.ts"] }
  writeFileSync(`${root}${directory}/tsconfig.json`, JSON.stringify(tsconfig))
  writeFileSync(`${root}${directory}/empty.ts`, "")

  const paths: Array<string> = []
  const outputOf = (path: string) => `${directory}/run/${basename(path, ".ts")}.mjs`
  let bundling: Promise<void> | undefined

  return {
    write: (document: string, block: CodeBlock): Program => {
      const path = `${directory}/${document.replaceAll("/", ".")}.${block.line}.ts`
      writeFileSync(root + path, "\n".repeat(block.line - 1) + block.code)
      paths.push(root + path)
      return { ...block, name: `${document}:${block.line}`, path }
    },
    /** What the compiler has against them; empty if nothing. */
    typeErrors: async (): Promise<string> => {
      const { status, stderr, stdout } = await node("node_modules/@typescript/native/bin/tsc", "-p", directory)
      return status === 0 ? "" : stdout + stderr
    },
    /** Runs a program on the sources; how it failed or what it printed in place of what is shown; empty if nothing. */
    failureOf: async (program: Program): Promise<string> => {
      await (bundling ??= bundled(paths, `${root}${directory}/run`))
      const { status, stderr, stdout } = await node("--enable-source-maps", outputOf(program.path))
      if (status !== 0) return `${program.name} ended with ${status}:\n${stdout}${stderr}`
      if (program.output === undefined || matchesOutput(stdout, program.output)) return ""
      return `${program.name} printed:\n${stdout}in place of:\n${program.output}`
    }
  }
}

interface Ended {
  readonly status: number | string
  readonly stdout: string
  readonly stderr: string
}

/** A child process without the keys that may be in the environment; it is killed after a minute and a half. */
const node = (...args: ReadonlyArray<string>): Promise<Ended> =>
  new Promise((resolve) => {
    const options = { cwd: root, env: { PATH: process.env["PATH"], NO_COLOR: "1" }, timeout: 90_000 }
    execFile(process.execPath, args, { ...options, killSignal: "SIGKILL" }, (error, stdout, stderr) =>
      resolve({ status: error === null ? 0 : error.code ?? error.signal ?? "an error", stdout, stderr }))
  })
