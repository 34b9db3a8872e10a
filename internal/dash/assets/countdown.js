// Countdowns run on between two pictures, by the gateway's clock and not by
// the reader's, which may be wrong.

import { text } from "./dom.js";

const EVERY = 250; // ms
const FRESH = 700; // ms for which a picture's own figures will do
const DRIFT = 500; // ms that a picture may be late without the clock being set

const running = new Map(); // node: what it counts down to, and how it says so
let ahead = 0; // ms of the gateway's clock before the reader's
let pictured = -Infinity; // when the last picture came

/** setClock learns the gateway's time from a picture. */
export function setClock(at) {
  pictured = performance.now();
  const seen = Date.parse(at) - Date.now();
  if (Math.abs(seen - ahead) > DRIFT) ahead = seen;
}

/** countdown lets node say the whole seconds that are left until stamp: a time
    of the gateway's clock, in ms or as text. */
export function countdown(node, stamp, say) {
  running.set(node, { until: typeof stamp === "number" ? stamp : Date.parse(stamp), say });
  tick(node);
}

/** still lets node say the same until it is told otherwise. */
export function still(node, said) {
  running.delete(node);
  text(node, said);
}

function tick(node) {
  const { until, say } = running.get(node);
  text(node, say(Math.max(0, Math.ceil((until - Date.now() - ahead) / 1000))));
}

setInterval(() => {
  if (performance.now() - pictured < FRESH) return; // nothing is drawn that the next picture draws
  for (const node of running.keys()) {
    if (node.isConnected) tick(node);
    else running.delete(node);
  }
}, EVERY);
