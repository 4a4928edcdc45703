// Holds, with a release button, and stubs.

import { post, remove } from "./api.js";
import { $, button, h, list, put, show } from "./dom.js";
import { store } from "./store.js";

function form(title, fields, submit, label) {
  return h("form", {
    class: "inline", "aria-label": title,
    onsubmit: async (event) => {
      event.preventDefault();
      const given = event.currentTarget;
      try {
        show("");
        await submit(Object.fromEntries(new FormData(given)));
        given.reset();
      } catch (error) {
        show(error.message);
      }
    },
  }, fields, h("button", {}, label));
}

const field = (name, label, attributes = {}) =>
  h("label", {}, `${label} `, h("input", { name, autocomplete: "off", ...attributes }));

async function makeHold({ task, release_when: count }) {
  await post("holds", { ...(task && { task }), ...(count && { release_when: Number(count) }) });
}

async function makeStub({ task, result, type, message }) {
  if (type) {
    await post("stubs", { task, error: { type, message } });
    return;
  }
  let value;
  try {
    value = JSON.parse(result);
  } catch (error) {
    throw new Error(`the result is not JSON (${error.message}): write text as "text", nothing as null`);
  }
  await post("stubs", { task, result: value });
}

function holdItem(hold) {
  const arrived = h("span");
  const released = h("span", {}, "released");
  const release = button("Release", () => post(`holds/${hold.id}/release`), { "aria-label": `release ${hold.task ?? "every task"}` });
  const item = h("li", {}, h("code", {}, hold.task ?? "every task"), arrived,
    hold.release_when ? `(released when ${hold.release_when} have arrived) ` : "", released, release);
  return [item, (now) => {
    put(arrived, ` ${now.arrived} arrived `);
    released.hidden = !now.released;
    release.hidden = now.released;
  }];
}

const stubItem = (stub) => [h("li", {},
  h("code", {}, stub.task), " → ", stub.error ? `${stub.error.type}: ${stub.error.message}` : JSON.stringify(stub.result), " ",
  button("Remove", () => remove(`stubs/${stub.id}`), { "aria-label": `remove the stub of ${stub.task}` }))];

const holds = h("ul", { id: "list-holds" });
const stubs = h("ul", { id: "list-stubs" });
const drawHolds = list(holds, (hold) => `${hold.id} ${hold.release_when} ${hold.task}`, holdItem);
const drawStubs = list(stubs, (stub) => JSON.stringify({ ...stub, matched: 0 }), stubItem);

export function startSteering() {
  $("steering").append(
    h("h3", {}, "Holds"), h("p", {}, "A held run waits before its body starts."),
    form("New hold", [field("task", "Task", { list: "tasks", placeholder: "every task" }), field("release_when", "Release when this many have arrived", { type: "number", min: "1" })], makeHold, "Hold"),
    holds,
    h("h3", {}, "Stubs"), h("p", {}, "A stub answers for a task, which is then not run."),
    form("New stub", [
      field("task", "Task", { list: "tasks", required: true }), field("result", "Result (JSON)", { placeholder: "null" }),
      field("type", "or error", { placeholder: "ValueError" }), field("message", "with the message"),
    ], makeStub, "Stub"),
    stubs);
}

export function drawSteering() {
  if ($("view-faults").hidden) return;
  drawHolds(store.holds);
  drawStubs(store.stubs);
}
