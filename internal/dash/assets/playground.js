// The playground: a chat through the gateway, and what a person sees while a
// request waits.

import { chat, kindOf } from "./chat.js";
import { countdown, still } from "./countdown.js";
import { make, text } from "./dom.js";
import { frame, wayOut } from "./frame.js";
import { clock, language, seconds, t, wait, whole } from "./words.js";

const POLL = 1000; // ms between two looks at one's place in the queue
const MODEL = "weir-model";

const node = (id) => document.getElementById(id);

const said = []; // the conversation, as the API wants it
let asks = ""; // what a caller must bring
let going = null; // of the message under way: how to stop it, and its call's id
let trouble = null; // of the last message, until it is sent again
let place = null; // in the queue, as last heard of

// Waiting

function showWait() {
  node("wait").hidden = !going || going.speaking;
  node("send").disabled = Boolean(going);
  node("stop").hidden = !going;
  if (node("wait").hidden) return still(node("wait-clock"), "…");
  const waits = place?.outcome === "waiting";
  text(node("wait-title"), waits ? t("wait.turn") : t(going.id ? "wait.sent" : "wait.sending"));
  text(node("wait-text"), waits ? t("wait.place", { n: whole(place.position), waited: seconds(place.waited_s) }) : "");
  if (waits && place.eta_s !== null && place.eta_s !== undefined) countdown(node("wait-clock"), place.until, (left) => (left > 0 ? wait(left) : t("queue.now")));
  else {
    const { began } = going;
    countdown(node("wait-clock"), began, () => wait(Math.floor((Date.now() - began) / 1000)));
  }
}

// follow asks for the call's place in the queue until it is answered.
async function follow(mine) {
  while (going === mine && !mine.speaking) {
    place = await fate(mine.id);
    if (place?.eta_s !== undefined && place?.eta_s !== null) place.until = Date.now() + 1000 * place.eta_s;
    if (going === mine) showWait();
    await new Promise((resolve) => setTimeout(resolve, POLL));
  }
}

// fate asks what becomes of a call: waiting, under way, or ended.
async function fate(id) {
  const answer = await fetch(`/api/v1/playground/place?id=${encodeURIComponent(id)}`).catch(() => null);
  return answer?.ok ? answer.json() : null;
}

// Sending

async function send() {
  trouble = null;
  place = null;
  showTrouble();
  const mine = (going = { stop: new AbortController(), began: Date.now(), id: "", speaking: false });
  const answer = turn("assistant");
  showWait();
  const request = { model: node("model").value.trim(), max_tokens: Number(node("max").value), stream: true, messages: said };
  try {
    for await (const { name, data } of chat(request, { key: node("key").value.trim(), language: language(), signal: mine.stop.signal })) hear(mine, answer, name, data);
    if (!mine.ended && !trouble) trouble = { kind: "busy", message: t("play.broke") };
  } catch (error) {
    if (error.name !== "AbortError") trouble = { kind: "gateway", message: t("link.lost") };
  }
  going = null;
  finish(mine, answer);
}

function hear(mine, answer, name, data) {
  if (name === "weir") {
    Object.assign(answer.facts, data);
    const id = data["weir-request-id"];
    if (id && !mine.id) {
      mine.id = id;
      follow(mine);
    }
  } else if (name === "message_start") usage(answer, data.message.usage);
  else if (name === "message_delta") usage(answer, data.usage);
  else if (name === "message_stop") mine.ended = true;
  else if (name === "content_block_delta" && data.delta.text) {
    mine.speaking = true;
    answer.text += data.delta.text;
    answer.item.hidden = false;
    text(answer.words, answer.text);
  } else if (name === "error") {
    const weir = data.error?.details?.weir;
    trouble = { kind: kindOf(data), message: data.error?.message ?? "", hint: weir?.hint, until: weir?.retry_at, after: Number(answer.facts["retry-after"]) || 0, at: Date.now() };
  }
  showWait();
}

const usage = (answer, more) => Object.assign(answer.usage, more);

// finish keeps an answer in the conversation. One that never began leaves the
// message to be sent again.
async function finish(mine, answer) {
  showWait();
  showTrouble();
  if (!answer.text) {
    answer.item.remove();
    if (!trouble) unsay(); // it was stopped
    return;
  }
  said.push({ role: "assistant", content: answer.text });
  bill(answer);
  for (let i = 0; mine.id && i < 5; i++) { // the gateway closes its book a moment later
    const record = await fate(mine.id);
    if (record && !["under_way", "waiting"].includes(record.outcome)) {
      answer.record = record;
      bill(answer);
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL / 4));
  }
}

// unsay takes the last message back into the field.
function unsay() {
  const last = said.pop();
  if (!last) return;
  node("talk").lastElementChild?.remove();
  if (!node("prompt").value) node("prompt").value = last.content;
}

// What was said

const turns = [];

function turn(who, words = "") {
  const item = make("li", { class: "turn", "data-who": who });
  const answer = { who, item, text: words, name: make("h2"), words: make("div", { class: "said" }, words), bill: make("p", { class: "bill" }), usage: {}, facts: {} };
  item.append(answer.name, answer.words, answer.bill);
  item.hidden = !words;
  node("talk").append(item);
  turns.push(answer);
  name(answer);
  return answer;
}

const name = (a) => text(a.name, t(`play.${a.who}`));

// bill says what an answer took: tokens, time, and money where prices are known.
function bill(a) {
  if (!("output_tokens" in a.usage)) return;
  const u = a.usage;
  const input = (u.input_tokens ?? 0) + (u.cache_read_input_tokens ?? 0) + (u.cache_creation_input_tokens ?? 0);
  const parts = [t("bill.tokens", { input: whole(input), output: whole(u.output_tokens) })];
  if (a.record?.cost_usd) parts.push(t("bill.cost", { cost: a.record.cost_usd }));
  const waited = a.record?.waited_s ?? Number(a.facts["weir-wait-ms"] ?? 0) / 1000;
  parts.push(t("bill.waited", { time: seconds(waited) }));
  if (a.record?.took_s) parts.push(t("bill.took", { time: seconds(a.record.took_s) }));
  if (a.facts["weir-degraded"]) parts.push(t("bill.degraded", { how: a.facts["weir-degraded"] }));
  a.bill.replaceChildren(...parts.map((p) => make("span", {}, p)));
}

// Trouble

function showTrouble() {
  node("notice").hidden = !trouble;
  if (!trouble) return;
  node("notice").dataset.kind = trouble.kind;
  text(node("notice-title"), t(`trouble.${trouble.kind}`));
  text(node("notice-said"), trouble.message);
  text(node("notice-hint"), trouble.hint ?? t(`trouble.${trouble.kind}.hint`));
  const until = trouble.until ? Date.parse(trouble.until) : trouble.after > 0 ? trouble.at + 1000 * trouble.after : null;
  if (until && until - Date.now() < 3600e3) countdown(node("notice-time"), until, (left) => (left > 0 ? t("trouble.in", { time: wait(left) }) : t("trouble.now")));
  else still(node("notice-time"), until ? t("trouble.at", { time: clock(until) }) : "");
}

// Models and keys

async function models() {
  const key = node("key").value.trim();
  if (asks && !key) return;
  const answer = await fetch("/api/v1/playground/models", { headers: key ? { "x-api-key": key } : {} }).catch(() => null);
  if (!answer?.ok) return; // then one types the name
  const { data = [] } = await answer.json();
  node("models").replaceChildren(...data.map((m) => new Option(m.display_name ?? m.id, m.id)));
  if (!node("model").value && data.length > 0) node("model").value = data[0].id;
}

async function begin() {
  const answer = await fetch("/api/v1/playground");
  if (!answer.ok) return;
  ({ asks } = await answer.json());
  node("key-part").hidden = node("key-help").hidden = !asks;
  node("key").required = Boolean(asks);
  node("key-name").dataset.t = asks === "token" ? "play.token" : "play.key";
  text(node("key-name"), t(node("key-name").dataset.t));
  node("model").value = localStorage.getItem(MODEL) ?? "";
  await models();
}

node("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  const words = node("prompt").value.trim();
  if (going || !words) return;
  localStorage.setItem(MODEL, node("model").value.trim());
  if (trouble && said.at(-1)?.role === "user") drop(); // it is replaced, not sent twice
  node("prompt").value = "";
  said.push({ role: "user", content: words });
  turn("user", words);
  send();
});

function drop() {
  said.pop();
  node("talk").lastElementChild?.remove();
}

node("retry").addEventListener("click", () => {
  if (going) return;
  if (said.at(-1)?.role === "assistant") { // it broke off: the answer is asked for anew
    said.pop();
    node("talk").lastElementChild?.remove();
  }
  send();
});
node("stop").addEventListener("click", () => going?.stop.abort());
node("clear").addEventListener("click", () => {
  going?.stop.abort();
  said.length = turns.length = 0;
  trouble = null;
  showTrouble();
  node("talk").replaceChildren();
  node("prompt").focus();
});
node("key").addEventListener("change", models);
node("prompt").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) node("ask").requestSubmit();
});

function retold() {
  for (const a of turns) {
    name(a);
    bill(a);
  }
  showTrouble();
  showWait();
}

await frame({ retold });
await Promise.all([wayOut(), begin()]);
