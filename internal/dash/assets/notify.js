// Desktop notifications of new alerts. The browser is asked for leave only when
// the reader presses the switch; that it is on is remembered.

import { pressing } from "./alerts.js";
import { attribute, text } from "./dom.js";
import { t } from "./words.js";

const MEMORY = "weir-notify";
const able = "Notification" in window && isSecureContext;
const button = document.getElementById("notify");

let known = null; // ids of the alerts of the last picture; null: there was none

const wanted = () => localStorage.getItem(MEMORY) === "on";
const on = () => able && wanted() && Notification.permission === "granted";

/** notify tells of the alerts that the last picture did not have. */
export function notify(picture) {
  const list = pressing(picture);
  const fresh = known === null ? [] : list.filter((a) => !known.has(a.id));
  known = new Set(list.map((a) => a.id));
  if (!on()) return;
  for (const a of fresh.slice(0, 3)) new Notification("Weir", { body: a.said, tag: a.id, icon: "/assets/icon.svg" });
}

/** relabel says in the reader's language what the switch stands at. */
export function relabel() {
  button.hidden = !able;
  attribute(button, "aria-pressed", on());
  const state = on() ? "on" : able && wanted() && Notification.permission === "denied" ? "denied" : "off";
  text(button, t(`notify.${state}`));
}

button.addEventListener("click", async () => {
  if (on()) localStorage.removeItem(MEMORY);
  else {
    localStorage.setItem(MEMORY, "on");
    await Notification.requestPermission();
  }
  relabel();
});
