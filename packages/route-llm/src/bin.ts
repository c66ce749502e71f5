#!/usr/bin/env node
/**
 * The `route-llm` command.
 */
import { main } from "./command/main.ts"

main(process.argv)
