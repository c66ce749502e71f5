/**
 * Answers that no SDK can use. They write past `ServerResponse`, on its socket, because a reset and bytes that are not
 * HTTP cannot be said in HTTP.
 */
import type { ServerResponse } from "node:http"
import { Socket } from "node:net"

const page = (title: string) =>
  `<!DOCTYPE html><html><head><title>${title}</title></head><body><h1>${title}</h1></body></html>`

/** What a gateway in front of the vendor shows. */
export const gatewayPage = (status: number): string => page(`${status} Bad gateway`)

const halfOfAnAnswer = "{\"id\":\"loopback\",\"choices\":[{\"index\":0,\"mess"

export const sendReset = (response: ServerResponse, at: "start" | "mid_body"): void => {
  const { socket } = response
  if (at === "start") {
    // TCP's RST where the socket is a TCP one, as it always is here; a plain end otherwise.
    if (socket instanceof Socket) socket.resetAndDestroy()
    return
  }
  // Not an RST, which may overtake the half that was sent.
  response.writeHead(200, { "content-type": "application/json", "content-length": halfOfAnAnswer.length * 2 })
  response.write(halfOfAnAnswer, () => socket?.destroy())
}

export const sendGarbage = (
  response: ServerResponse,
  shape: "html" | "truncated_json" | "other_json" | "not_http"
): void => {
  const send = (type: string, body: string) => {
    response.writeHead(200, { "content-type": type, "content-length": Buffer.byteLength(body) })
    response.end(body)
  }
  switch (shape) {
    case "html":
      return send("text/html; charset=utf-8", page("Welcome to this network. Please sign in."))
    case "truncated_json":
      return send("application/json", halfOfAnAnswer)
    case "other_json":
      return send("application/json", "{\"status\":\"ok\",\"result\":[]}")
    case "not_http":
      response.socket?.end("220 mail.example ESMTP ready\r\n")
  }
}
