// One run in full.

import { get, post } from "./api.js";
import { $, button, copyButton, fill, h } from "./dom.js";
import { clock, exchangeView, facts } from "./exchange.js";
import { badge, milliseconds } from "./runs.js";
import { store } from "./store.js";

let shown = null; // {id, run, exchanges, version}: what is on the screen

const text = (title, content, note) =>
  content ? [h("h3", {}, title), note ? h("p", {}, note) : null, h("pre", { tabindex: "0" }, content)] : null;

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
      const { id } = await post(`runs/${encodeURIComponent(run.run_id)}/replay`);
      location.hash = `#run/${encodeURIComponent(id)}`;
    }, { disabled: !run.replayable, title: run.replayable ? null : "the journal no longer has its arguments" }),
    run.pytest ? copyButton(run.pytest, "Copy as a pytest test") : null,
    copyButton(run.run_id, "Copy run id"));
}

function draw({ run, exchanges }) {
  const short = run.run_id.slice(run.run_id.lastIndexOf(":") + 1).slice(0, 8);
  fill($("view-run"),
    h("p", {}, h("a", { href: "#runs", "data-key": "back" }, "← all runs")),
    h("h2", { id: "title-run" }, `${run.task_id} ${short} `, badge(run.state)),
    run.error ? h("p", { class: "failure" }, h("strong", {}, run.error),
      run.error_place ? [h("br"), "at ", h("code", {}, run.error_place)] : null) : null,
    run.held_by.length ? h("p", { class: "hint" }, `Held by ${run.held_by.join(", ")}: `,
      h("a", { href: "#faults" }, "release it")) : null,
    buttons(run),
    facts([
      ["arguments", run.args ?? "(not loaded)"],
      ["result", run.result],
      ["answered by", run.stubbed ? "a stub, without running the task" : null],
      ["body started", run.executions === 1 ? "once" : `${run.executions} times`],
      ["milliseconds", milliseconds(run)],
      ["faults", run.faults.join(", ")],
      ["cancel", run.cancel_requested ? "asked for" : null],
      ["run id", run.run_id],
    ]),
    text("Traceback, on the worker", run.traceback),
    text("Output", run.output, "What the body printed and logged."),
    timings(run),
    exchanges.map(exchangeView));
}

async function load(id) {
  const run = await get(`runs/${encodeURIComponent(id)}`);
  const exchanges = await Promise.all(run.exchanges.map((number) => get(`exchanges/${number}`)));
  return { run, exchanges };
}

// Draw the run of the address; load it again when the stream of events has said that it changed.
export async function drawRun(id) {
  const version = store.runs.get(id);
  if (shown?.id === id && shown.version === version) return;
  const first = shown?.id !== id;
  shown = { id, version };
  try {
    const loaded = await load(id);
    if (shown.id === id) draw(loaded);
  } catch (error) {
    fill($("view-run"),
      h("p", {}, h("a", { href: "#runs" }, "← all runs")),
      h("h2", { id: "title-run" }, "Run not found"), h("p", {}, error.message));
  }
  if (first) scrollTo(0, 0);
}

export const leaveRun = () => { shown = null; };
