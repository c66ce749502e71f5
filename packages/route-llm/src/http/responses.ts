import * as HttpServerResponse from "@effect/platform/HttpServerResponse"

/** Of every answer: it is of this moment, and what it says it is. */
export const headers = { "cache-control": "no-store", "x-content-type-options": "nosniff" }

export const json = (body: unknown, status = 200): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.unsafeJson(body, { status, headers })

export const errorResponse = (status: number, _tag: string, message: string): HttpServerResponse.HttpServerResponse =>
  json({ error: { _tag, message } }, status)
