// One run in full. That of a run that has not ended is loaded again every second, because neither
// what its body prints nor where it is makes an event.

import { get, post } from "./api.js";
import { $, button, copyButton, encoded, fill, h, list } from "./dom.js";
import { clock, exchangeView, facts } from "./exchange.js";
import { badge, milliseconds } from "./runs.js";
import { store } from "./store.js";

const ENDED = ["succeeded", "failed", "cancelled", "lost"];
const SIBLINGS = 20; // the newest
const AGAIN = 1000; // milliseconds

// {id, version, loaded, drawn, others}: the run of the address, and what is on the screen of it.
// loaded is {run, exchanges, text}, of which text, all of it as JSON, is compared with drawn.
let shown = null;

const text = (title, content, note) => content
  ? [h("h3", {}, title), note ? h("p", {}, note) : null, h("pre", { tabindex: "0", "data-key": title }, content)]
  : null;

function notLoaded(run) {
  if (run.stubbed) return "(not read: a stub answered)";
  return ENDED.includes(run.state) ? "(not read: the body did not start)" : "(read when the body starts)";
}

// The runs that may be attempts of one call: Wove gives each attempt a run id of its own.
function siblings(run) {
  if (run.args === null) return [];
  return [...store.runs.values()].filter((other) =>
    other.task_id === run.task_id && other.args === run.args && other.run_id !== run.run_id)
    .slice(-SIBLINGS).reverse();
}

const shortId = (run) => run.run_id.slice(run.run_id.lastIndexOf(":") + 1).slice(0, 8);

// Apart from the rest, which is not drawn again when a sibling arrives: a click would be lost.
function siblingList(run) {
  const items = h("ul", { class: "siblings" });
  const section = h("div", {}, h("h3", {}, "Runs of this task with the same arguments"),
    h("p", {}, "Each retry of a task is a run of its own."), items);
  const drawItems = list(items, (other) => other, (other) => {
    const apart = other.received - run.received;
    return [h("li", {}, badge(other.state), " ",
      h("a", { href: `#run/${encoded(other.run_id)}`, "data-key": other.run_id }, shortId(other)),
      ` ${Math.abs(apart).toFixed(2)} s ${apart < 0 ? "earlier" : "later"} `,
      other.error ? h("span", { class: "error" }, other.error) : null)];
  });
  const draw = () => {
    const others = siblings(run);
    section.hidden = !others.length;
    drawItems(others);
  };
  draw();
  return { section, draw };
}

// received → held or waiting → running → answered, as parts of one bar.
function timings(run) {
  const end = run.answered ?? run.finished;
  const parts = [
    [run.state === "held" || run.held_by.length ? "held" : "waiting", run.received, run.started ?? run.finished],
    ["running", run.started, run.finished],
    ["answering", run.finished, run.answered],
  ].filter(([, from, to]) => from !== null && to !== null && to >= from);
  const whole = end === null ? 0 : end - run.received;
  if (!parts.length || whole <= 0) return null;
  const ms = (seconds) => `${(seconds * 1000).toFixed(1)} ms`;
  return [
    h("h3", {}, "Time"),
    h("div", { class: "bar", "aria-hidden": "true" }, parts.map(([name, from, to]) => {
      const part = h("span", { class: `part ${name}` });
      part.style.flexGrow = String(Math.max((to - from) / whole, 0.004));
      return part;
    })),
    h("p", { class: "legend" },
      `received ${clock(run.received)} · `,
      parts.map(([name, from, to]) => [h("span", { class: `key ${name}`, "aria-hidden": "true" }), ` ${name} ${ms(to - from)}  `])),
  ];
}

function buttons(run) {
  return h("p", { class: "buttons" },
    button("Run again", async () => {
      const again = await post(`runs/${encoded(run.run_id)}/replay`);
      if (!again.run) throw new Error("The worker has not accepted it: “Refused” and “Faults” show why.");
      location.hash = `#run/${encoded(again.id)}`;
    }, { disabled: !run.replayable, title: run.replayable ? null : "the journal no longer has its arguments" }),
    run.pytest ? copyButton(run.pytest, "Copy as a pytest test") : null,
    copyButton(run.run_id, "Copy run id"));
}

function draw({ run, exchanges }, others) {
  fill($("view-run"),
    h("p", {}, h("a", { href: "#runs", "data-key": "back" }, "← all runs")),
    h("h2", { id: "title-run" }, h("bdi", {}, run.task_id), " ", h("bdi", {}, shortId(run)), " ", badge(run.state)),
    run.error ? h("p", { class: "failure" }, h("strong", {}, run.error),
      run.error_place ? [h("br"), "at ", h("code", {}, run.error_place)] : null) : null,
    run.held_by.length ? h("p", { class: "hint" }, `Held by ${run.held_by.join(", ")}: `,
      h("a", { href: "#faults" }, "release it")) : null,
    buttons(run),
    facts([
      ["arguments", run.args ?? notLoaded(run)],
      ["result", run.result],
      ["answered by", run.stubbed ? "a stub, without running the task" : null],
      ["body started", run.executions === 1 ? "once" : `${run.executions} times`],
      ["milliseconds", milliseconds(run)],
      ["faults", run.faults_text],
      ["cancel", run.cancel_requested ? "asked for" : null],
      ["run id", run.run_id],
      ["delivery key", run.delivery_key],
    ]),
    text("Traceback, on the worker", run.traceback),
    text("Where the body is now", run.stack),
    others.section,
    text("Output", run.output, "What the body printed and logged."),
    timings(run),
    exchanges.map(exchangeView));
}

async function load(id) {
  const run = await get(`runs/${encoded(id)}`);
  const exchanges = await Promise.all(run.exchanges.map((number) => get(`exchanges/${number}`)));
  return { run, exchanges, text: JSON.stringify([run, exchanges]) };
}

// Draw what is loaded, unless that is on the screen already: a person may be selecting text of it.
function drawLoaded() {
  if (shown.drawn === shown.loaded.text) {
    shown.others.draw();
    return;
  }
  // A click is lost if its button is replaced before it is released; the next draw comes in a second.
  if (shown.drawn !== null && $("view-run").matches(":active")) return;
  shown.drawn = shown.loaded.text;
  shown.others = siblingList(shown.loaded.run);
  draw(shown.loaded, shown.others);
}

// Draw the run of the address; load it again when the stream of events has said that it changed.
export async function drawRun(id) {
  const version = store.runs.get(id);
  if (shown?.id === id && shown.version === version) {
    if (shown.loaded) drawLoaded();
    return;
  }
  const first = shown?.id !== id;
  shown = first ? { id, version, loaded: null, drawn: null, others: null } : { ...shown, version };
  await reload(shown);
  if (first) scrollTo(0, 0);
}

async function reload(asked) {
  try {
    const loaded = await load(asked.id);
    if (shown !== asked) return; // another run, or another version of it, is being loaded
    shown.loaded = loaded;
    drawLoaded();
  } catch (error) {
    if (shown !== asked) return;
    shown.drawn = null; // the next answer is drawn also if it is the same as the last
    fill($("view-run"),
      h("p", {}, h("a", { href: "#runs" }, "← all runs")),
      h("h2", { id: "title-run" }, error.status === 404 ? "Run not found" : "Run not loaded"), h("p", {}, error.message));
  }
}

export function startRun() {
  setInterval(() => {
    if (shown?.loaded && !ENDED.includes(shown.loaded.run.state) && store.connected) reload(shown);
  }, AGAIN);
}

export const leaveRun = () => { shown = null; };
