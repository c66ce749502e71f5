import { execFile, spawnSync } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, dirname, join } from "node:path"
import { promisify } from "node:util"
import { describe, expect, it } from "vitest"
import { commandFile, routeLlm } from "./run.ts"

const subcommands = ["status", "explain", "validate", "dashboard", "demo"]

describe("route-llm", () => {
  it("tells what it can, without colours on a pipe", async () => {
    const { code, stderr, stdout } = await routeLlm(["--help"])
    expect([code, stderr]).toEqual([0, ""])
    expect(stdout).not.toContain("\u001b")
    for (const name of subcommands) expect(stdout).toMatch(new RegExp(`^ *- ${name} .*\\S`, "m"))
    for (const name of subcommands) expect((await routeLlm([name, "--help"])).stdout).toContain("DESCRIPTION")
  }, 60_000)

  it("ends with 2 where it is not told what to do, or what it does not know", async () => {
    expect(await routeLlm(["nothing"])).toMatchObject({ code: 2, stdout: "" })
    expect(await routeLlm(["demo", "--compare", "--speed", "2"])).toMatchObject({
      code: 2,
      stdout: "",
      stderr: "--compare runs on virtual time: it takes neither --real nor --speed.\n"
    })
    const wrong = [
      ["demo", "--speed", "0"],
      ["demo", "--speed", "-1"],
      ["demo", "--duration", "0 minutes"],
      ["demo", "--duration", "soon"],
      ["demo", "--dashboard", "--port", "99999"],
      ["dashboard", "--port", "-1"],
      ["status", "--interval", "0"]
    ]
    for (const args of wrong) {
      const { code, stderr, stdout } = await routeLlm(args)
      expect([args, code, stdout]).toEqual([args, 2, ""])
      expect(stderr).toMatch(new RegExp(`^\\s*${args.at(-2)} takes [^{}]*\\.\\s*$`))
    }
  }, 60_000)

  it("completes in every shell", async () => {
    for (const shell of ["bash", "zsh", "fish"]) {
      const { code, stdout } = await routeLlm(["--completions", shell])
      expect([shell, code]).toEqual([shell, 0])
      for (const name of [...subcommands, "interval"]) expect(stdout).toContain(name)
    }
  }, 60_000)

  it("completes subcommands and options in a real bash", async () => {
    const folder = mkdtempSync(join(tmpdir(), "route-llm-"))
    try {
      const { stdout } = await routeLlm(["--completions", "bash"])
      writeFileSync(join(folder, "completions"), stdout)
      const complete = (...words: ReadonlyArray<string>) =>
        spawnSync("bash", [
          "-c",
          `source ${folder}/completions; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _route-llm_bash_completions "$1"; `
          + "echo \"${COMPREPLY[*]}\"",
          "bash",
          ...words
        ], { encoding: "utf8" }).stdout.trim().split(" ")
      expect(complete("route-llm", "")).toEqual(expect.arrayContaining(subcommands))
      expect(complete("route-llm", "status", "--")).toEqual(expect.arrayContaining(["--url", "--watch", "--json"]))
    } finally {
      rmSync(folder, { recursive: true })
    }
  }, 60_000)

  it("ends quietly when whoever reads it has had enough", async () => {
    const { stdout } = await promisify(execFile)("bash", [
      "-c",
      `set -o pipefail; "$0" "$1" validate --schema | head -n 1; echo "\${PIPESTATUS[0]}"`,
      process.execPath,
      await commandFile()
    ])
    expect(stdout).toBe("{\n0\n")
    const { stdout: complaint } = await promisify(execFile)("bash", [
      "-c",
      `"$0" "$1" status --watch --interval 0.1 --url localhost:9 2>&1 | head -n 1; echo "\${PIPESTATUS[0]}"`,
      process.execPath,
      await commandFile()
    ])
    expect(complaint).toMatch(/^http:\/\/localhost:9 did not answer \(fetch calls no such port\).*\n0\n$/)
  }, 60_000)

  it("reads nothing of the router, the demo or the dashboard until a subcommand needs it", async () => {
    const file = await commandFile()
    /** A file and all that it imports as it is read; what is imported later stands in `import(…)`. */
    const read = (name: string, known: Map<string, string>): ReadonlyMap<string, string> => {
      const text = readFileSync(join(dirname(file), name), "utf8")
      known.set(name, text)
      for (const [, other = ""] of text.matchAll(/^(?:import|export)\b[^;()]*?"\.\/([\w.-]+\.js)";$/gm)) {
        if (!known.has(other)) read(other, known)
      }
      return known
    }
    const whole = (name: string) => [...read(name, new Map()).values()].join("\n")
    const marks = ["gen_ai.client.operation.duration", "ProviderLedger = class", "text/event-stream", "parseDocument"]
    const later = readdirSync(dirname(file)).filter((name) => /^run|^\w+Source-/.test(name)).map(whole).join("\n")
    expect(marks.filter((mark) => later.includes(mark))).toEqual(marks)
    const first = whole(basename(file))
    expect(first).toContain("Each provider's use, headroom")
    expect(marks.filter((mark) => first.includes(mark))).toEqual([])
  }, 60_000)
})
