// Makes the dashboard one HTML file that loads nothing: script, styles and fonts are in it, and its policy allows no more.
import { build } from "esbuild"
import { createHash } from "node:crypto"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const path = (name) => fileURLToPath(new URL(name, import.meta.url))

const hash = (text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`

const bundled = () =>
  build({
    entryPoints: [path("main.tsx"), path("style.css")],
    outdir: path("."),
    bundle: true,
    write: false,
    minify: true,
    metafile: true,
    format: "iife",
    target: "es2022",
    jsx: "automatic",
    jsxImportSource: "preact",
    loader: { ".woff2": "dataurl" },
    legalComments: "none",
    logLevel: "error"
  })

const fileOf = ({ outputFiles }, end) => outputFiles.find((file) => file.path.endsWith(end)).text.trim()

/** The page. `<\/` in a script or style would end it early. */
const assembled = (output) => {
  const script = fileOf(output, ".js").replaceAll("</", "<\\/")
  const style = fileOf(output, ".css").replaceAll("</", "<\\/")
  const policy =
    `default-src 'none'; script-src ${hash(script)}; style-src ${hash(style)}; font-src data:; img-src data:; `
    + "connect-src 'self'; base-uri 'none'; form-action 'none'"
  const parts = { policy, script, style }
  return readFileSync(path("page.html"), "utf8").replace(/<!--(policy|script|style)-->/g, (_, part) => parts[part])
}

/** The folder of the package that a file belongs to. */
const packageOf = (input) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1]

const licenceOf = (folder) => {
  const { name, version } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"))
  const file = readdirSync(folder).find((name) => /^licen[cs]e/i.test(name))
  if (file === undefined || !existsSync(`${folder}/${file}`)) throw new Error(`${name} has no licence to pass on`)
  return `${name} ${version}\n\n${readFileSync(`${folder}/${file}`, "utf8").trim()}\n`
}

/** What the page holds of others, with their licences: they ask to be passed on with it. */
export const licences = ({ metafile }) => {
  const folders = Object.keys(metafile.inputs).flatMap((input) => packageOf(input) ?? [])
  return [...new Set(folders)].sort().map(licenceOf).join(`\n${"-".repeat(80)}\n\n`)
}

export const bundlePage = async () => {
  const output = await bundled()
  return { html: assembled(output), licences: licences(output) }
}
