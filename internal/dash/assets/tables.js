// The queue by lane, the latest requests, and the tiles above them.

import { attribute, forget, keyed, make, text } from "./dom.js";
import { openStory } from "./story.js";
import { clock, seconds, short, t, whole } from "./words.js";

const CLASSES = ["interactive", "normal", "batch"]; // the most urgent first

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

/** queue shows one row for each lane. */
export function queue(report) {
  const lanes = report.lanes;
  document.getElementById("queue-none").hidden = lanes.length > 0;
  document.getElementById("queue").parentElement.hidden = lanes.length === 0;
  keyed(body("queue"), lanes, (l) => `${l.organization}\u0000${l.group}`, buildLane, updateLane);
}

function buildLane(l) {
  const row = make("tr", { "data-organization": l.organization, "data-group": l.group },
    cell("lane", "lane"), cell("waiting", "num"), cell("inflight", "num"), cell("oldest", "num"),
    cell("head", "num"), cell("bound"), cell("classes", "wide"));
  const owner = l.organization.length > 13 ? `${l.organization.slice(0, 8)}…` : l.organization;
  row.cells[0].append(l.group, make("small", { title: l.organization }, owner));
  return row;
}

function updateLane(row, l) {
  attribute(row, "data-waiting", l.waiting);
  attribute(row, "data-in-flight", l.in_flight);
  text(row.cells[1], whole(l.waiting));
  text(row.cells[2], whole(l.in_flight));
  text(row.cells[3], l.waiting > 0 ? seconds(l.oldest_wait_s) : "–");
  text(row.cells[4], seconds(l.head_in_s));
  text(row.cells[5], l.bound_by ? t(`limiter.${l.bound_by}`) : "–");
  const classes = CLASSES.map((name) => [name, l.by_class?.[name] ?? 0]).filter(([, n]) => n > 0);
  keyed(row.cells[6], classes, ([name]) => name, () => make("span", { class: "chip" }),
    (chip, [name, n]) => text(chip, `${t(`class.${name}`)} ${whole(n)}`));
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
  for (const id of ["queue", "requests"]) forget(body(id));
  forget(document.getElementById("tiles"));
}
