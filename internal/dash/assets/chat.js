// One message and its answer, as a stream of events. Nothing here repeats a
// request: whoever wants that asks again.

/** chat sends the request and yields the name and data of each event. An answer
    that is no stream is yielded as one "error". */
export async function* chat(request, { key, language, signal }) {
  const headers = { "content-type": "application/json", "weir-lang": language };
  if (key) headers["x-api-key"] = key;
  const answer = await fetch("/api/v1/playground/messages", { method: "POST", headers, body: JSON.stringify(request), signal });
  if (!answer.ok) {
    yield { name: "error", data: { status: answer.status, ...(await answer.json()) } };
    return;
  }
  let rest = "";
  for await (const chunk of pieces(answer.body)) {
    rest += chunk;
    const blocks = rest.split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const event = parse(block);
      if (event) yield event;
    }
  }
}

async function* pieces(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}

function parse(block) {
  const fields = { event: "message", data: "" };
  for (const line of block.split("\n")) {
    const [, name, value] = line.match(/^(\w+): ?(.*)$/) ?? [];
    if (name) fields[name] = value;
  }
  return fields.data ? { name: fields.event, data: JSON.parse(fields.data) } : null;
}

/** kindOf tells apart what a refusal asks of the reader: to wait, to see to the
    account, to be patient with Anthropic, to change the request, or to ask
    whoever runs the gateway. */
export function kindOf(error) {
  const weir = error.error?.details?.weir;
  if (weir) {
    if (weir.who === "anthropic") return "busy";
    return { temporary: "wait", account: "cap", request: "yours" }[weir.scope] ?? "gateway";
  }
  const type = error.error?.type;
  if (type === "overloaded_error" || type === "api_error" || type === "timeout_error") return "busy";
  if (type === "rate_limit_error") return "wait";
  if (type === "billing_error") return "cap";
  return type === "authentication_error" || type === "permission_error" ? "gateway" : "yours";
}
