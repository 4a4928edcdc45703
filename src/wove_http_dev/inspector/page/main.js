// Which view is shown, by the part of the address behind #, and what all views share.

import { $, decoded, put, show } from "./dom.js";
import { drawConnect } from "./connect.js";
import { drawFaults, startFaults } from "./faults.js";
import { drawProblems } from "./problems.js";
import { drawRun, leaveRun, startRun } from "./run.js";
import { drawRuns, isCleared, startRuns } from "./runs.js";
import { drawSteering, startSteering } from "./steering.js";
import { changed, follow, onChange, store } from "./store.js";

const VIEWS = ["runs", "run", "problems", "faults", "connect"];

function place() {
  const [view, id] = location.hash.slice(1).split("/");
  return VIEWS.includes(view) ? { view, id: id && decoded(id) } : { view: "runs" };
}

function drawPlace() {
  const { view, id } = place();
  for (const name of VIEWS) $(`view-${name}`).hidden = name !== view;
  for (const link of document.querySelectorAll("nav a")) {
    const current = link.hash === `#${view}` || (view === "run" && link.hash === "#runs");
    if (current) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (view === "run") drawRun(id);
  else leaveRun();
}

// The task that failed last comes first: a tab shows some twenty characters.
function title() {
  const failed = [...store.failed.values()].filter((run) => !isCleared(run));
  const last = failed.at(-1);
  if (!last) return "wove-http-dev";
  const kind = last.error ? `: ${last.error.split(":", 1)[0]}` : "";
  return `✗ ${last.task_id}${kind} (${failed.length} failed) – wove-http-dev`;
}

function drawHeader() {
  put($("where"), store.worker?.url ?? "");
  put($("connection"), store.connected ? "live" : "not connected: trying again");
  $("connection").className = store.connected ? "live" : "lost";
  put($("count-runs"), store.runs.size ? String(store.runs.size) : "");
  put($("count-problems"), store.problems.size ? String(store.problems.size) : "");
  const force = store.injections.filter((injection) => injection.active).length
    + store.holds.filter((hold) => !hold.released).length + store.stubs.length;
  put($("count-force"), force ? String(force) : "");
  const text = title();
  if (document.title !== text) document.title = text;
}

for (const draw of [drawHeader, drawPlace, drawRuns, drawProblems, drawFaults, drawSteering, drawConnect]) {
  onChange(draw);
}
startRuns();
startRun();
startFaults();
startSteering();
addEventListener("hashchange", () => {
  show("");
  changed();
  $("content").focus({ preventScroll: true });
});
follow(show);
changed();
