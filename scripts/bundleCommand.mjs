// Makes the `route-llm` command a few files out of the hundreds that it is written in: reading those took most of the
// time until it did anything. What a subcommand needs is still read only when it runs; the vendors' SDKs and the
// tokenizer are the user's own.
import { build } from "esbuild"
import { rmSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { bundlePage, licences } from "../packages/route-llm/dashboard/bundle.mjs"

const source = (name) => fileURLToPath(new URL(`../packages/route-llm/src/${name}`, import.meta.url))

/** What CommonJS packages inside an ES module look for. */
const banner = "import { createRequire } from \"node:module\"; const require = createRequire(import.meta.url);"

/** Writes the command into a folder of its own as `bin.js`, with everything that stands beside it. */
export const bundleCommand = async (outdir) => {
  rmSync(outdir, { recursive: true, force: true })
  const output = await build({
    entryPoints: { bin: source("bin.ts"), vendorProcess: source("demo/vendorProcess.ts") },
    outdir,
    bundle: true,
    splitting: true,
    metafile: true,
    format: "esm",
    platform: "node",
    target: "node20",
    tsconfig: fileURLToPath(new URL("../tsconfig.base.json", import.meta.url)),
    external: ["openai", "@anthropic-ai/sdk", "@google/genai", "groq-sdk", "js-tiktoken"],
    banner: { js: banner },
    legalComments: "none",
    logLevel: "error"
  })
  const page = await bundlePage()
  writeFileSync(`${outdir}/page.html`, page.html)
  writeFileSync(`${outdir}/licences.txt`, `${licences(output)}\n${page.licences}`)
}
