// The breakers that have ever opened, and the rules that guard the gateway
// itself. Nothing is shown where there is nothing to tell.

import { countdown, still } from "./countdown.js";
import { attribute, forget, keyed, make, text } from "./dom.js";
import { body, cell } from "./tables.js";
import { clock, t, wait, whole } from "./words.js";

const lists = ["breakers", "rules"];

/** protection shows the rows of both tables. */
export function protection(report) {
  const empty = lists.filter((id) => report[id].length === 0);
  document.getElementById("protection").hidden = empty.length === lists.length;
  for (const id of lists) document.getElementById(`${id}-part`).hidden = empty.includes(id);
  keyed(body("breakers"), report.breakers, (b) => b.scope, buildBreaker, updateBreaker);
  keyed(body("rules"), report.rules, (r) => [r.kind, r.rule, r.resource].join("\u0000"), buildRule,
    (row, r) => {
      attribute(row, "data-refused", r.refused);
      text(row.cells[3], whole(r.refused));
    });
}

function buildBreaker(b) {
  const row = make("tr", { "data-scope": b.scope },
    cell("model", "lane"), cell("state", "wide"), cell("opened", "num"), cell("why", "wide prose"), cell("since"), cell("probe", "full"));
  const { host, model } = parts(b.scope);
  row.cells[0].append(model, make("small", {}, host));
  row.cells[1].append(make("span", { class: "mark" }));
  return row;
}

function updateBreaker(row, b) {
  attribute(row, "data-state", b.state);
  attribute(row, "data-opened", b.opened);
  attribute(row.cells[1].firstChild, "data-state", b.state);
  text(row.cells[1].firstChild, t(`breaker.${b.state}`));
  text(row.cells[2], whole(b.opened));
  text(row.cells[3], b.rule ? t("breaker.why", { cause: t(`cause.${b.cause}`), rule: b.rule }) : "–");
  text(row.cells[4], clock(b.since));
  probe(row.cells[5], b, (left) => t("probe.in", { left }));
}

// probe says when the next call is let through to see whether all is well.
function probe(node, b, say) {
  if (b.state === "open") countdown(node, b.retry_at, (left) => (left > 0 ? say(wait(left)) : t("probe.due")));
  else still(node, b.state === "half_open" ? t("probe.now") : "–");
}

function buildRule(r) {
  const row = make("tr", { "data-rule": r.rule }, cell("rule", "lane"), cell("kind", "wide"), cell("resource", "wide"), cell("refused", "num"));
  [r.rule, t(`kind.${r.kind}`), r.resource].forEach((value, i) => text(row.cells[i], value));
  return row;
}

// parts takes a breaker's scope apart. A model may have a slash in its name.
function parts(scope) {
  const [host, ...model] = scope.split("/");
  const known = model.join("/") !== "";
  return { host: known ? host : t("breaker.upstream"), model: known ? model.join("/") : t("breaker.others") };
}

/** broken are the alerts of the breakers that are not closed. The sentence is
    read aloud when it changes; the time beside it runs in silence. */
export function broken(report) {
  return report.breakers.filter((b) => b.state !== "closed").map((b) => ({
    id: `breaker ${b.scope}`,
    scope: b.scope,
    said: t(`breaker.said.${b.cause}`, { ...parts(b.scope), rule: b.rule }),
    time: (node) => probe(node, b, (left) => t("breaker.until", { time: clock(b.retry_at), left })),
  }));
}

/** relabel makes the next picture build everything anew. */
export function relabel() {
  for (const id of lists) forget(body(id));
}
