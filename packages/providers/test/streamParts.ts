/** Chunks of OpenAI's format, and the parts that streams are made of. */
export const chunk = (delta: unknown, more: object = {}, top: object = {}) => ({
  id: "chatcmpl-7",
  object: "chat.completion.chunk",
  created: 1,
  model: "m-1",
  choices: [{ index: 0, delta, finish_reason: null, ...more }],
  ...top
})

export const end = (finish_reason: string, delta: object = {}) => chunk(delta, { finish_reason })

export const begun = { _tag: "Metadata", model: "m-1" }
export const text = (words: string) => ({ _tag: "Text", text: words })
export const finished = (finishReason: string) => ({ _tag: "Finish", finishReason })
