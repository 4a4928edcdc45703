// The table of runs: newest first, filtered, grouped. Only the rows that can be seen are elements,
// so that 10,000 runs cost as much as forty.

import { $, encoded, h, list, put } from "./dom.js";
import { changed, store } from "./store.js";

const SUGGESTED = 200; // names of tasks in the field of the filter
const SPARE = 10; // rows drawn above and below what is seen
const STATES = {
  received: "○", held: "‖", running: "▶", succeeded: "✓", failed: "✗", cancelled: "⊘", lost: "?",
};

let paused = null; // the runs as they were when the table was paused
let cleared = new Set(); // the ids of the runs that are hidden; not a time, which may be set back
export const isCleared = (run) => cleared.has(run.run_id);
let suggested = "";
const open = new Set(); // tasks whose group is open

export const badge = (state) =>
  h("span", { class: `badge ${state}` }, h("span", { "aria-hidden": "true" }, STATES[state] ?? ""),
    h("span", { class: "word" }, ` ${state}`));

function age(seconds) {
  if (seconds < 60) return `${Math.max(0, Math.floor(seconds))} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  return seconds < 86400 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86400)} d`;
}

export const milliseconds = (run) =>
  run.seconds === null ? "" : (run.seconds * 1000).toFixed(run.seconds < 0.01 ? 2 : 0);

function glob(pattern) {
  const parts = pattern.split(/([*?])/).map((part) =>
    part === "*" ? ".*" : part === "?" ? "." : part.replace(/[.+^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join("")}$`, "s");
}

const texts = new WeakMap(); // what a run is searched in: all runs are, at each change

function searched(run) {
  if (!texts.has(run)) {
    const values = [run.task_id, run.run_id, run.args, run.result, run.error, run.faults_text];
    texts.set(run, values.filter(Boolean).join("\n").toLowerCase());
  }
  return texts.get(run);
}

function matching() {
  const text = $("filter-text").value.trim().toLowerCase();
  const task = $("filter-task").value.trim();
  const state = $("filter-state").value;
  const wanted = task && glob(task);
  const found = [];
  for (const run of paused ?? store.runs.values()) {
    if (isCleared(run)) continue;
    if (state && run.state !== state) continue;
    if (wanted && !wanted.test(run.task_id)) continue;
    if (text && !searched(run).includes(text)) continue;
    found.push(run);
  }
  return found.reverse();
}

function grouped(runs) {
  const groups = new Map();
  for (const run of runs) {
    if (!groups.has(run.task_id)) groups.set(run.task_id, []);
    groups.get(run.task_id).push(run);
  }
  const items = [];
  for (const [task, members] of groups) {
    items.push({ task, members });
    if (open.has(task)) items.push(...members);
  }
  return items;
}

function groupRow({ task }) {
  const toggle = () => {
    if (!open.delete(task)) open.add(task);
    changed();
  };
  const button = h("button", { type: "button", onclick: toggle, "aria-label": `runs of ${task}` });
  const states = h("td", { class: "what" });
  const row = h("tr", { class: "group" },
    h("td", { class: "state" }, button), h("td", { class: "task" }, task), states);
  return [row, ({ members }) => {
    const counts = new Map();
    for (const run of members) counts.set(run.state, (counts.get(run.state) ?? 0) + 1);
    button.setAttribute("aria-expanded", String(open.has(task)));
    put(button, `${open.has(task) ? "▾" : "▸"} ${members.length}`);
    states.colSpan = columns() - 2;
    states.replaceChildren(...[...counts].flatMap(([state, count]) => [badge(state), ` ${count}  `]));
  }];
}

function outcome(run) {
  if (run.error) return run.error;
  if (run.state === "held" && run.held_by.length) return `held by ${run.held_by.join(", ")}`;
  return run.result ?? (run.stubbed ? "(stub)" : "…");
}

function runRow(run) {
  const args = run.args ?? "(not loaded)";
  const since = h("td", { class: "age" });
  const row = h("tr", { class: run.state },
    h("td", { class: "state" }, badge(run.state)),
    h("td", { class: "task" }, h("a", {
      href: `#run/${encoded(run.run_id)}`, "data-key": run.run_id,
    }, run.task_id)),
    h("td", { class: "what" }, `${args} → `, h("span", { class: run.error ? "error" : "result" }, outcome(run))),
    h("td", { class: "faults" }, run.faults_text),
    h("td", { class: "ms" }, milliseconds(run)),
    since);
  return [row, () => put(since, age(Date.now() / 1000 - run.received))];
}

// A changed run is another object, and gets another row.
const drawRows = list($("runs").tBodies[0], (item) => (item.members ? `group ${item.task}` : item),
  (item) => (item.members ? groupRow(item) : runRow(item)));

// The columns that page.css shows: a cell that spans more would add empty ones.
const columns = () => (matchMedia("(max-width: 640px)").matches ? 3 : 6);

function spacer(rows, height) {
  const cell = h("td", { colspan: String(columns()) });
  cell.style.height = `${rows * height}px`;
  return h("tr", { class: "spacer", "aria-hidden": "true" }, cell);
}

export function drawRuns() {
  if ($("view-runs").hidden) return;
  const runs = matching();
  const items = $("group").checked ? grouped(runs) : runs;
  const scroll = $("scroll");
  const height = parseFloat(getComputedStyle(scroll).getPropertyValue("--row"));
  const first = Math.max(0, Math.min(items.length - 1, Math.floor(scroll.scrollTop / height) - SPARE));
  const last = Math.min(items.length, first + Math.ceil(scroll.clientHeight / height) + 2 * SPARE);
  const body = $("runs").tBodies[0];
  const focused = body.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  drawRows(items.slice(first, last), first ? [spacer(first, height)] : [],
    last < items.length ? [spacer(items.length - last, height)] : []);
  if (focused && !body.contains(document.activeElement)) body.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  $("runs").setAttribute("aria-rowcount", String(items.length + 1));
  drawCounts(runs.length);
}

function drawCounts(shown) {
  const total = store.runs.size;
  const news = paused ? [...store.runs.values()].filter((run) => !paused.has(run)).length : 0;
  const text = paused ? `paused; ${news} new or changed` : `${shown} of ${total} runs`;
  put($("shown"), text);
  const empty = $("empty");
  empty.hidden = shown > 0;
  put(empty, total
    ? "No run matches the filter."
    : "No task has arrived. “Connect” shows what an application needs; “Refused” what was turned away.");
  const tasks = [...store.tasks.keys()].slice(0, SUGGESTED).sort();
  if (tasks.join("\n") === suggested) return;
  suggested = tasks.join("\n");
  $("tasks").replaceChildren(...tasks.map((task) => h("option", { value: task })));
}

export function startRuns() {
  $("filter-state").append(...Object.keys(STATES).map((state) => h("option", {}, state)));
  for (const id of ["filter-text", "filter-task", "filter-state", "group"]) {
    $(id).addEventListener("input", changed);
  }
  $("filter").addEventListener("submit", (event) => event.preventDefault());
  $("scroll").addEventListener("scroll", changed, { passive: true });
  addEventListener("resize", changed);
  $("pause").addEventListener("click", () => {
    paused = paused ? null : new Set(store.runs.values());
    $("pause").setAttribute("aria-pressed", String(paused !== null));
    $("pause").textContent = paused ? "Go on" : "Pause";
    changed();
  });
  $("clear").addEventListener("click", () => {
    cleared = new Set(store.runs.keys());
    if (paused) paused = new Set(store.runs.values());
    changed();
  });
  addEventListener("keydown", (event) => {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement?.tagName);
    if (event.key === "/" && !typing && !$("view-runs").hidden) {
      event.preventDefault();
      $("filter-text").focus();
    }
  });
  setInterval(() => { if (store.runs.size) changed(); }, 1000); // the ages
}
