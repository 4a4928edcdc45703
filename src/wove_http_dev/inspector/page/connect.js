// What an application needs in order to reach this worker.

import { $, copyButton, fill, h } from "./dom.js";
import { store } from "./store.js";

let drawn = null;

export function drawConnect() {
  const { worker } = store;
  if ($("view-connect").hidden || !worker || drawn === worker) return;
  drawn = worker;
  const code = (title, text) => [h("h3", {}, title), h("pre", { tabindex: "0" }, text), copyButton(text)];
  fill($("connect"),
    code("In the application", worker.snippet),
    worker.exports.length ? code("In the shell that it runs in", worker.exports.join("\n")) : null,
    h("h3", {}, "Where tasks run"), h("p", {}, worker.runner),
    code("To find what is wrong before a task is sent", worker.doctor));
}
