// What the control API has sent: runs, refused requests, and what is in force. Views draw from here.

import { get, listen } from "./api.js";

const LIMIT = 10000; // of runs, as the worker's journal

export const store = {
  connected: false,
  worker: null,
  runs: new Map(), // by run_id, oldest first
  tasks: new Map(), // how many of the runs each task has
  failed: new Map(), // those of the runs, by run_id, in the order in which they failed
  problems: new Map(), // by number, oldest first
  injections: [],
  holds: [],
  stubs: [],
  faults: [],
};

const views = new Set();
let scheduled = false;

// Call draw() soon after each change, at most once a frame.
export function onChange(draw) {
  views.add(draw);
}

export function changed() {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    for (const draw of views) draw();
  });
}

// Returns what value replaces, or pushes out.
function keep(map, key, value) {
  const replaced = map.has(key) ? [map.get(key)] : [];
  map.set(key, value);
  if (map.size <= LIMIT) return replaced;
  const [first, oldest] = map.entries().next().value;
  map.delete(first);
  return [...replaced, oldest];
}

function count(run, by) {
  const left = (store.tasks.get(run.task_id) ?? 0) + by;
  if (left) store.tasks.set(run.task_id, left);
  else store.tasks.delete(run.task_id);
}

const addRun = (run) => {
  if (run.initial_value) return;
  count(run, 1);
  for (const gone of keep(store.runs, run.run_id, run)) {
    count(gone, -1);
    store.failed.delete(gone.run_id);
  }
  if (run.state === "failed") store.failed.set(run.run_id, run);
};
const addExchange = (exchange) => keep(store.problems, exchange.number, exchange);

async function loadAll() {
  const [worker, runs, exchanges, injections, holds, stubs, faults] = await Promise.all(
    ["worker", "runs", "exchanges?problems=true", "injections", "holds", "stubs", "faults"].map(get),
  );
  store.runs.clear();
  store.tasks.clear();
  store.failed.clear();
  store.problems.clear();
  runs.runs.forEach(addRun);
  exchanges.exchanges.forEach(addExchange);
  Object.assign(store, {
    worker,
    injections: injections.injections,
    holds: holds.holds,
    stubs: stubs.stubs,
    faults: faults.faults,
  });
  changed();
}

// Load everything, then follow the changes. An event that arrives while everything is loaded again
// is applied afterwards, so that an older answer does not replace it. After a reset in that time
// everything is loaded once more, because an answer may be from before it.
export function follow(report) {
  let loading = false;
  let again = false;
  const later = [];
  const load = () => {
    later.length = 0; // the answers have it, or it was removed
    again = loading;
    if (loading) return;
    loading = true;
    loadAll()
      .then(() => report(""), (error) => {
        report(error.status === 401
          ? "Open the address that serve printed: it has the token, without which nothing is shown."
          : error.message);
      })
      .finally(() => {
        loading = false;
        if (again) {
          load();
          return;
        }
        later.splice(0).forEach((apply) => apply());
        changed();
      });
  };
  const applied = (apply) => (data) => {
    if (loading) later.push(() => apply(data));
    else apply(data);
    changed();
  };
  let begun = false;
  listen({
    open() {
      store.connected = true;
      if (!begun) load();
      begun = true;
      changed();
    },
    closed() {
      store.connected = false;
      if (!begun) load(); // says why
      changed();
    },
    run: applied(addRun),
    exchange: applied(addExchange),
    injections: applied((data) => { store.injections = data.injections; }),
    holds: applied((data) => { store.holds = data.holds; }),
    stubs: applied((data) => { store.stubs = data.stubs; }),
    reset: load,
    reload: load,
  });
}
