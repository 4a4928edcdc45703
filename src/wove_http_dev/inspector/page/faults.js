// The catalogue of faults, each with a switch, its fields and selectors; and what is in force.

import { post, remove } from "./api.js";
import { $, button, fill, h, list, put, show } from "./dom.js";
import { store } from "./store.js";

const SELECTORS = [
  { name: "task", doc: "only this task (name or glob)" },
  { name: "command", choices: ["", "run_task", "cancel_task"], doc: "only this command" },
  { name: "times", number: true, doc: "how many requests to hit" },
  { name: "after", number: true, doc: "how many requests to let through first" },
  { name: "probability", number: true, doc: "chance of each request, 0 to 1" },
];
const switched = new Map(); // name of a fault → {id, listed} of the injection that its switch made

// A field of a fault is text, as on the command line: the worker says what is allowed.
function input(field, fault) {
  const { name, choices, default: usual } = field;
  const id = `field-${fault}-${name}`;
  const control = choices?.length
    ? h("select", { id, name }, choices.map((choice) => h("option", { selected: String(usual ?? "") === String(choice) }, String(choice))))
    : h("input", { id, name, type: field.number ? "number" : "text", step: field.number ? "any" : null, placeholder: usual });
  return h("div", { class: "field" },
    h("label", { for: id }, name, field.unit ? ` (${field.unit}${field.distribution ? ", or 0.1..0.5" : ""})` : ""), control,
    field.doc ? h("small", {}, field.doc) : null);
}

// The fault as text, as the command line takes it: name field=value …
function faultText(fault, form) {
  const words = fault.fields.map(({ name, default: usual }) => [name, form.elements[name].value, usual])
    .filter(([, value, usual]) => value !== "" && value !== String(usual ?? ""))
    .map(([name, value]) => `${name}=${/[\s"'\\]/.test(value) ? JSON.stringify(value) : value}`);
  return [fault.name, ...words].join(" ");
}

function selectors(form) {
  const found = {};
  for (const { name, number } of SELECTORS) {
    const { value } = form.elements[name];
    if (value !== "") found[name] = number ? Number(value) : value;
  }
  return found;
}

function card(fault) {
  const form = h("form", { class: "fields", onsubmit: (event) => event.preventDefault() },
    h("fieldset", {}, h("legend", {}, "Fields"),
      fault.fields.length ? fault.fields.map((field) => input(field, fault.name)) : "none"),
    h("fieldset", {}, h("legend", {}, "Which requests"),
      SELECTORS.map((field) => input(field, fault.name))));
  const toggle = h("button", {
    type: "button", role: "switch", class: "switch", "aria-checked": "false", "data-fault": fault.name,
    "aria-label": fault.name, disabled: Boolean(fault.cannot_apply),
    onclick: async () => {
      try {
        show("");
        if (switched.has(fault.name)) {
          await remove(`injections/${switched.get(fault.name).id}`);
          switched.delete(fault.name);
        } else {
          const made = await post("injections", { fault: faultText(fault, form), ...selectors(form) });
          switched.set(fault.name, { id: made.id, listed: false });
        }
      } catch (error) {
        show(error.message);
      }
      drawSwitches();
    },
  });
  return h("li", { class: "fault", "data-words": `${fault.name} ${fault.summary}`.toLowerCase() },
    toggle,
    h("details", {},
      h("summary", {}, h("strong", {}, fault.name), ` ${fault.summary}`),
      fault.cannot_apply ? h("p", { class: "hint" }, `Cannot apply to this worker: ${fault.cannot_apply}`) : form));
}

function drawSwitches() {
  const active = new Set(store.injections.filter((injection) => injection.active).map((injection) => injection.id));
  for (const [name, made] of switched) { // its event may arrive after the answer
    if (active.has(made.id)) made.listed = true;
    else if (made.listed) switched.delete(name); // removed elsewhere, or has hit as often as asked
  }
  for (const toggle of document.querySelectorAll(".switch")) {
    const on = switched.has(toggle.dataset.fault);
    toggle.setAttribute("aria-checked", String(on));
    toggle.textContent = on ? "on" : "off";
  }
}

function inForce(injection) {
  const selected = SELECTORS.map(({ name }) => name)
    .filter((name) => injection[name] !== null && !(name === "after" && injection.after === 0) && !(name === "probability" && injection.probability === 1))
    .map((name) => `${name}=${injection[name]}`).join(" ");
  const hits = h("td");
  const row = h("tr", {},
    h("td", {}, h("code", {}, injection.fault)), h("td", {}, selected || "every request"), hits,
    h("td", {}, injection.background ? "given at the start" : button("Remove", () => remove(`injections/${injection.id}`), { "aria-label": `remove ${injection.fault}` })));
  return [row, (now) => put(hits, String(now.hits))];
}

const rows = h("tbody");
const table = h("table", {}, h("thead", {}, h("tr", {}, ["Fault", "Which requests", "Hits", ""].map((name) => h("th", { scope: "col" }, name)))), rows);
const none = h("p", {}, "No fault is in force.");
const drawRows = list(rows, (injection) => JSON.stringify({ ...injection, hits: 0, seen: 0 }), inForce);

export function drawFaults() {
  if ($("view-faults").hidden) return;
  drawCatalogue();
  drawSwitches();
  const active = store.injections.filter((injection) => injection.active);
  drawRows(active);
  table.hidden = !active.length;
  none.hidden = active.length > 0;
}

let drawn = null;

function drawCatalogue() {
  if (drawn === store.faults) return;
  drawn = store.faults;
  const families = new Map();
  for (const fault of store.faults) {
    if (!families.has(fault.family)) families.set(fault.family, []);
    families.get(fault.family).push(fault);
  }
  fill($("catalogue"), [...families].map(([family, faults]) => h("div", { class: "family" },
    h("h4", {}, family), h("ul", {}, faults.map(card)))));
  findFaults();
}

function findFaults() {
  const words = $("find-fault").value.trim().toLowerCase().split(/\s+/);
  for (const family of document.querySelectorAll(".family")) {
    let any = false;
    for (const item of family.querySelectorAll(".fault")) {
      item.hidden = !words.every((word) => item.dataset.words.includes(word));
      any ||= !item.hidden;
    }
    family.hidden = !any;
  }
}

export function startFaults() {
  $("find-fault").addEventListener("input", findFaults);
  $("force").append(
    h("h3", {}, "In force"), table, none,
    h("p", { class: "buttons" }, button("Reset the worker", () => post("reset"), {
      title: "forget every run, fault, hold and stub, and release what is held",
    }), h("small", {}, " Forgets every run, fault, hold and stub, and releases what is held.")));
}
