// Rows of requests as they finish. Every word from outside is written as text, never as markup.
"use strict";

const MAX_ROWS = 200;
const table = document.querySelector("[data-tail]");
const body = table.tBodies[0];
const state = document.querySelector("[data-tail-state]");
const button = document.querySelector("[data-tail-pause]");
let source = null;
let isPaused = false;

const unknown = "–";
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const ms = (value) => (value == null ? unknown : value >= 1000 ? `${(value / 1000).toPrecision(3)} s` : `${Math.round(value)} ms`);
const usd = (value) => (value == null ? unknown : value === 0 ? "$0" : `$${Number(value.toPrecision(3))}`);
const count = (value) => (value == null ? unknown : String(value));

function cell(row, label, text, isNumber) {
  const made = row.insertCell();
  made.dataset.label = label;
  if (isNumber) made.className = "number";
  const name = document.createElement("bdi");
  name.textContent = text;
  made.append(name);
  return made;
}

/** Give what was not well about a request, in words. */
function trouble(one) {
  const parts = [];
  if (one.error) parts.push(one.blame && one.blame !== one.error ? `${one.error} (${one.blame})` : one.error);
  if (one.safety) parts.push(one.safety === true ? "safety" : `safety: ${one.safety}`);
  if (one.is_stream) parts.push("stream");
  return parts.join(", ");
}

function show(one) {
  table.hidden = false;
  document.querySelector("[data-tail-empty]").hidden = true;
  if (one.skipped) {
    const row = body.insertRow(0);
    const made = row.insertCell();
    made.colSpan = 11;
    made.className = "note";
    made.textContent = `${one.skipped} more came too fast to be shown`;
  }
  if (one.route != null) {
    const row = body.insertRow(0);
    cell(row, "When", clock.format(new Date(one.at_unix_ms)));
    cell(row, "Request", one.request_id_short ?? unknown);
    cell(row, "Route", one.route ?? unknown);
    cell(row, "Arm", one.arm ?? unknown);
    cell(row, "Because", String(one.reason ?? unknown).replaceAll("_", " "));
    const status = cell(row, "Status", count(one.status), true);
    if (one.error || one.status >= 500) status.classList.add("bad-text");
    cell(row, "First token", ms(one.ttft_ms), true);
    cell(row, "Duration", ms(one.duration_ms), true);
    cell(row, "Tokens", `${count(one.tokens_in)} → ${count(one.tokens_out)}`, true);
    cell(row, "Cost", usd(one.cost_usd), true);
    cell(row, "What", trouble(one));
  }
  while (body.rows.length > MAX_ROWS) body.deleteRow(-1);
}

function open() {
  source = new EventSource(table.dataset.tail);
  source.onopen = () => { state.textContent = "live"; };
  source.onerror = () => { state.textContent = "not connected; trying again"; };
  const hear = (event) => {
    let one;
    try { one = JSON.parse(event.data); } catch { return; }
    if (one && typeof one === "object") show(one);
  };
  for (const kind of ["message", "request", "skipped"]) source.addEventListener(kind, hear);
}

function close() {
  source?.close();
  source = null;
}

button.hidden = false;
button.addEventListener("click", () => {
  isPaused = !isPaused;
  button.textContent = isPaused ? "Go on" : "Pause";
  if (isPaused) { close(); state.textContent = "paused: what finishes now is not shown"; } else open();
});
// A page nobody looks at holds no stream.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) close();
  else if (!source && !isPaused) open();
});
open();
