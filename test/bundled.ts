import { build } from "esbuild"
import { fileURLToPath } from "node:url"

const tsconfig = fileURLToPath(new URL("../tsconfig.base.json", import.meta.url))

/** What CommonJS packages inside an ES module look for. */
const banner = "import { createRequire } from \"node:module\"; const require = createRequire(import.meta.url);"

/**
 * Makes each of these programs one `.mjs` file in this folder, over the packages' sources. Where several are run, each
 * in a process of its own, reading hundreds of modules afresh would be most of what they do.
 */
export const bundled = async (programs: ReadonlyArray<string>, outdir: string): Promise<void> => {
  await build({
    entryPoints: [...programs],
    outdir,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20",
    tsconfig,
    banner: { js: banner },
    sourcemap: true,
    sourcesContent: false,
    legalComments: "none",
    logLevel: "error"
  })
}
