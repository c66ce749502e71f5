#!/usr/bin/env node
// Stands beside dist, so that a package manager can link the command before anything is built.
await import("../dist/cli/bin.js")
