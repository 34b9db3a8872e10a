// The story of one request: why it waited, and what each attempt brought. It
// is asked for when someone opens it; pictures do not carry stories.

import { make } from "./dom.js";
import { clock, seconds, t, whole } from "./words.js";

const panel = () => document.getElementById("story");

/** openStory shows the panel for the request with this id. */
export async function openStory(id) {
  const body = document.getElementById("story-body");
  body.replaceChildren(make("p", { class: "dim" }, t("story.loading")));
  if (!panel().open) panel().showModal();
  try {
    const answer = await fetch(`/api/v1/requests/${encodeURIComponent(id)}`);
    const said = await answer.json();
    body.replaceChildren(...(answer.ok ? told(said) : [make("p", {}, said.error.message)]));
  } catch {
    body.replaceChildren(make("p", {}, t("link.lost")));
  }
}

/** closeStory hides the panel; its words belong to one language. */
export function closeStory() {
  if (panel().open) panel().close();
}

function told(r) {
  const u = r.usage;
  const facts = [
    ["id", r.id],
    ["model", `${r.model || r.endpoint} · ${t(`class.${r.class}`)}`],
    ["tenant", r.tenant || "–"],
    ["waited", `${seconds(r.waited_s)} · ${bound(r.bound_by, r.waited_s)}`],
    ["took", seconds(r.took_s)],
  ];
  if (r.endpoint === "messages") {
    facts.push(
      ["estimate", t("story.tokens", { input: whole(r.estimate.input_tokens), output: whole(r.estimate.output_tokens), spread: Math.round(100 * r.estimate.spread) })],
      ["usage", t("story.used", { input: whole(u.input_tokens), write: whole(u.cache_write_tokens), read: whole(u.cache_read_tokens), output: whole(u.output_tokens) })],
    );
  }
  facts.push(["outcome", r.outcome === "ok" ? t("outcome.ok") : `${t(`outcome.${r.outcome}`)} · ${r.reason || r.status}`]);
  const list = make("dl", { class: "facts" });
  for (const [name, value] of facts) list.append(make("dt", {}, t(`fact.${name}`)), make("dd", { "data-fact": name }, value));
  return [list, make("ol", { class: "chapters" }, ...r.story.map(chapter))];
}

function chapter(a) {
  const parts = [t("story.waited", { time: seconds(a.waited_s), why: bound(a.bound_by, a.waited_s) })];
  if (a.ahead > 0) parts.push(t("story.behind", { n: whole(a.ahead), tenant: a.behind || "–" }));
  parts.push(t("story.sent", { at: clock(a.at), key: a.key }));
  parts.push(t("story.result", { kind: a.kind, status: a.status || "–", time: seconds(a.took_s) }));
  return make("li", { "data-kind": a.kind }, parts.join(" "));
}

// bound says what a wait was for. One that had to wait for others alone has no
// limiter of its own.
function bound(name, waited) {
  if (name) return t(`limiter.${name}`);
  return waited < 0.0005 ? t("story.atonce") : t("story.turn");
}
