// The latest requests, and the tiles above everything.

import { forget, keyed, make, text } from "./dom.js";
import { openStory } from "./story.js";
import { clock, seconds, short, t, whole } from "./words.js";

/** body is where the rows of a table go. */
export const body = (id) => document.querySelector(`#${id} tbody`);

/** tiles shows the counts of now and of the last minute. */
export function tiles(picture) {
  const { queue: q, recent: r } = picture;
  const flying = q.lanes.reduce((sum, lane) => sum + lane.in_flight, 0);
  const items = [
    ["waiting", whole(q.waiting)],
    ["inflight", whole(flying)],
    ["answered", whole(r.answered)],
    ["p50", seconds(r.wait_p50_s)],
    ["p95", seconds(r.wait_p95_s)],
    ["429", whole(r.status_429)],
  ];
  keyed(document.getElementById("tiles"), items, ([k]) => k,
    ([k]) => make("div", { "data-tile": k }, make("dt", {}, t(`tile.${k}`)), make("dd")),
    (node, [, value]) => text(node.querySelector("dd"), value));
}

/** requests shows the newest calls; a row never changes once it is there. */
export function requests(list) {
  document.getElementById("requests-none").hidden = list.length > 0;
  document.getElementById("requests").parentElement.hidden = list.length === 0;
  keyed(body("requests"), list, (r) => r.id || r.at, buildRequest);
}

function buildRequest(r) {
  const row = make("tr", { "data-request": r.id, "data-status": r.status },
    cell("at"), cell("outcome", "wide"), cell("tenant"), cell("model", "wide"), cell("waited", "num"),
    cell("took", "num"), cell("tokens", "num"), cell("attempts", "num minor"));
  const outcome = t(`outcome.${r.outcome}`);
  const input = r.usage.input_tokens + r.usage.cache_write_tokens + r.usage.cache_read_tokens;
  [
    clock(r.at),
    "",
    r.tenant || "–",
    r.model || r.endpoint,
    seconds(r.waited_s),
    seconds(r.took_s),
    r.endpoint === "messages" ? `${short(input)} / ${short(r.usage.output_tokens)}` : "–",
    whole(r.attempts),
  ].forEach((value, i) => text(row.cells[i], value));
  if (r.id) row.cells[0].replaceChildren(storyButton(r));
  const said = r.outcome === "ok" ? outcome : `${outcome} · ${r.reason || r.status}`;
  row.cells[1].append(make("span", { class: "outcome", "data-outcome": r.outcome }, said));
  if (r.degraded) row.cells[3].append(" ", make("span", { class: "chip", title: r.degraded }, t("degraded.chip")));
  if (r.cost_usd) row.cells[6].append(" ", make("small", {}, `$${r.cost_usd}`));
  return row;
}

function storyButton(r) {
  const button = make("button", { type: "button", class: "more", "aria-haspopup": "dialog", "aria-label": t("story.open", { time: clock(r.at) }) }, clock(r.at));
  button.addEventListener("click", () => openStory(r.id));
  return button;
}

/** cell is one of a row; on a phone it bears its column's name. */
export function cell(column, className = "") {
  return make("td", { class: className, "data-label": t(`col.${column}`) });
}

/** relabel makes the next picture build everything anew. */
export function relabel() {
  forget(body("requests"));
  forget(document.getElementById("tiles"));
}
