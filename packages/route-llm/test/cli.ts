import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

const root = fileURLToPath(new URL("../../../", import.meta.url))

/** Runs `route-llm demo` on the sources, in the root of the checkout. */
export const demo = (...args: ReadonlyArray<string>) =>
  promisify(execFile)(process.execPath, [
    "node_modules/tsx/dist/cli.mjs",
    "--tsconfig",
    "tsconfig.base.json",
    "packages/route-llm/src/bin.ts",
    "demo",
    ...args
  ], { cwd: root })

/** What a run that fails prints. */
export const failureOf = async (...args: ReadonlyArray<string>): Promise<string> => {
  const failed: unknown = await demo(...args).catch((error: unknown) => error)
  const { stderr, stdout } = failed as { readonly stdout: string; readonly stderr: string }
  return failed instanceof Error ? stdout + stderr : "it did not fail"
}
