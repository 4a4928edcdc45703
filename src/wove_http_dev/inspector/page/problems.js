// Refused requests, and connections that never became a request.

import { $, fill, h } from "./dom.js";
import { clock, exchangeView } from "./exchange.js";
import { store } from "./store.js";

const SHOWN = 200; // the newest
const open = new Set();

export function drawProblems() {
  if ($("view-problems").hidden) return;
  const newest = [...store.problems.values()].slice(-SHOWN).reverse();
  fill($("problems"),
    newest.length ? null : h("p", {}, "None so far."),
    newest.map((exchange) => {
      const reason = exchange.refusal || exchange.error;
      const what = exchange.kind === "connection" ? "connection" : `${exchange.type ?? exchange.method} ${exchange.task_id ?? ""}`;
      const whose = exchange.faults.length ? ` (fault: ${exchange.faults.join(", ")})` : exchange.internal_error ? " (the worker service itself failed)" : "";
      return h("details", {
        open: open.has(exchange.number),
        ontoggle: (event) => (event.currentTarget.open ? open.add(exchange.number) : open.delete(exchange.number)),
      },
      h("summary", { "data-key": `problem ${exchange.number}` },
        h("time", {}, clock(exchange.received)), ` ${what.trim()} `,
        h("strong", {}, `${exchange.status ?? "no answer"}: ${reason}`), whose,
        exchange.hint ? h("span", { class: "hint" }, ` What to do: ${exchange.hint}`) : null),
      exchangeView(exchange));
    }));
}
