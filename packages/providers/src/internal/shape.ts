import { at, safely } from "./json.ts"

/** Whether functions are found at all of these paths. Never throws. */
export const hasMethods = (client: unknown, ...paths: ReadonlyArray<ReadonlyArray<string>>): boolean =>
  safely(() => paths.every((path) => typeof at(client, ...path) === "function"), false)

/** Whether the client's class carries this static, as the SDKs' classes carry their error classes. Never throws. */
export const hasStatic = (client: unknown, name: string): boolean =>
  safely(() => {
    const owner = at(client, "constructor")
    return typeof owner === "function" && typeof Reflect.get(owner, name) === "function"
  }, false)
