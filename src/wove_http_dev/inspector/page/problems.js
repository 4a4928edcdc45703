// Refused requests, failures of upstream, and connections that never became a request.

import { $, h, list } from "./dom.js";
import { clock, exchangeView } from "./exchange.js";
import { store } from "./store.js";

const SHOWN = 200; // the newest
const open = new Set();
const none = h("p", {}, "None so far.");

function problem(exchange) {
  const upstream = exchange.upstream.map((leg) => leg.error).filter(Boolean).join("; ");
  const reason = exchange.refusal || exchange.error || upstream;
  const what = exchange.kind === "connection" ? "connection" : `${exchange.type ?? exchange.method} ${exchange.task_id ?? ""}`;
  const whose = exchange.faults.length ? ` (fault: ${exchange.faults_text})` : exchange.internal_error ? " (the worker service itself failed)" : "";
  let whole = null; // made when it is seen
  const show = () => { whole ??= element.appendChild(exchangeView(exchange)); };
  const element = h("details", {
    open: open.has(exchange.number),
    ontoggle: () => {
      if (element.open) open.add(exchange.number);
      else open.delete(exchange.number);
      if (element.open) show();
    },
  }, h("summary", {},
    h("time", {}, clock(exchange.received)), " ", h("bdi", {}, what.trim()), " ",
    h("strong", {}, `${exchange.status ?? "no answer"}: ${reason}`), whose,
    exchange.hint ? h("span", { class: "hint" }, ` What to do: ${exchange.hint}`) : null));
  if (element.open) show();
  return [element];
}

const draw = list($("problems"), (exchange) => exchange, problem);

export function drawProblems() {
  if ($("view-problems").hidden) return;
  const newest = [...store.problems.values()].slice(-SHOWN).reverse();
  draw(newest, newest.length ? [] : [none]);
}
