// The degradation ladder: which rungs are in force, for whom and why, and which
// answers were made simpler. Nothing is shown where there is nothing to tell.

import { attribute, forget, keyed, make, text } from "./dom.js";
import { body, cell } from "./tables.js";
import { clock, t, whole } from "./words.js";

const node = (id) => document.getElementById(id);
const FIELDS = "\u0000";

/** ladder shows the rungs, and the answers of the last minute. */
export function ladder({ degradation: report, recent }) {
  const answers = recent.degraded;
  node("degraded-part").hidden = report.rungs.length + answers.length === 0;
  node("ladder-part").hidden = report.rungs.length === 0;
  node("answers-part").hidden = answers.length === 0;
  text(node("ladder-help"), t(report.dry_run ? "ladder.dry" : "ladder.help"));
  const rungs = report.rungs.map((r, i) => ({ ...r, key: [i, r.rung, r.enter, r.leave].join(FIELDS), dry: report.dry_run }));
  keyed(body("ladder"), rungs, (r) => r.key, buildRung, updateRung);
  keyed(body("degraded"), answers, (d) => [d.rung, d.from, d.to].join(FIELDS), buildAnswer, (row, d) => text(row.cells[3], whole(d.n)));
}

function buildRung(r) {
  const row = make("tr", { "data-rung": r.rung },
    cell("rung", "lane"), cell("state", "wide"), cell("whom", "wide prose"), cell("conditions", "full prose"), cell("changes", "num"), cell("would", "num"));
  text(row.cells[0], t(`rung.${r.rung}`));
  row.cells[1].append(make("span", { class: "mark" }));
  row.cells[2].append(make("ul", { class: "places" }));
  row.cells[3].append(t("ladder.enter", { condition: r.enter }));
  if (r.leave) row.cells[3].append(make("small", {}, t("ladder.leave", { condition: r.leave })));
  row.cells[3].append(make("small", { class: "fault" }));
  return row;
}

function updateRung(row, r) {
  const state = r.places === 0 ? "off" : r.dry ? "would" : "on";
  const mark = row.cells[1].firstChild;
  attribute(row, "data-state", state);
  attribute(mark, "data-state", state);
  text(mark, t(`ladder.${state}`));
  const places = [...r.in_force, ...(r.places > r.in_force.length ? [{ more: r.places - r.in_force.length }] : [])];
  keyed(row.cells[2].firstChild, places, (p) => [p.class, p.tenant, p.model, p.since].join(FIELDS),
    () => make("li", {}, make("span"), make("small")), updatePlace);
  text(row.cells[3].lastChild, r.fault ? t("ladder.fault", { fault: r.fault }) : "");
  text(row.cells[4], whole(r.changes));
  text(row.cells[5], r.dry ? whole(r.would) : "–");
}

function updatePlace(item, p) {
  const who = [p.class, p.tenant, p.model].filter(Boolean).join(" · ");
  text(item.firstChild, p.more ? t("ladder.more", { n: whole(p.more) }) : t("ladder.whom", { who, since: clock(p.since) }));
  text(item.lastChild, p.values ?? "");
}

function buildAnswer(d) {
  const row = make("tr", { "data-from": d.from }, cell("asked", "lane"), cell("served", "wide"), cell("rung", "wide"), cell("answers", "num"));
  text(row.cells[0], d.from);
  text(row.cells[1], d.to);
  text(row.cells[2], d.rung.split("+").map((rung) => t(`rung.${rung}`)).join(", "));
  return row;
}

/** relabel makes the next picture build everything anew. */
export function relabel() {
  for (const id of ["ladder", "degraded"]) forget(body(id));
}
