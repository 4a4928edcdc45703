// One exchange in full: the request as it arrived, each check of its credentials, and the answer.

import { h } from "./dom.js";

export const clock = (seconds) =>
  new Date(seconds * 1000).toLocaleTimeString([], {
    hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23",
  });

export function facts(pairs) {
  return h("dl", {}, pairs.filter(([, value]) => value !== null && value !== undefined && value !== "")
    .map(([name, value]) => [h("dt", {}, name), h("dd", {}, String(value))]));
}

function steps(verdict) {
  if (!verdict?.steps?.length) return null;
  return [
    h("h4", {}, "Checks of the request"),
    h("ol", { class: "steps" }, verdict.steps.map((step) =>
      h("li", { class: step.ok ? "ok" : "failed" },
        h("strong", {}, step.ok ? "✓ passed " : "✗ FAILED "), step.text))),
  ];
}

const size = (bytes) => (bytes < 10000 ? `${bytes} bytes` : `${(bytes / 1024).toFixed(0)} KiB`);

// A request to the service of the option upstream.
const leg = ({ text, sent, received, status }) =>
  `${text} (${size(sent)} sent${status === null ? "" : `, ${size(received)} received`})`;

// Refusals that the settings of "Connect" would mend.
const SETTINGS = new Set([
  "certificate-rejected", "wrong-path", "tls-on-plain-http-port", "plain-http-on-tls-port",
]);
const connectLink = (exchange) => (exchange.accepted === false || SETTINGS.has(exchange.code)
  ? h("a", { href: "#connect" }, "Settings and variables for an application") : null);

export function exchangeView(exchange) {
  const what = exchange.kind === "connection"
    ? "connection that ended before a request was complete"
    : `${exchange.method} ${exchange.target}`;
  return h("article", { class: "exchange" },
    h("h3", {}, `#${exchange.number} ${what}`),
    facts([
      ["received", clock(exchange.received)],
      ["took", exchange.seconds === null ? "not ended" : `${(exchange.seconds * 1000).toFixed(1)} ms`],
      ["frame", exchange.type],
      ["body", exchange.kind === "connection" ? null : size(exchange.body_size)],
      ["answer", exchange.status ?? "none"],
      ["events", exchange.events.join(", ")],
      ["forwarded", exchange.upstream.map(leg).join("; ")],
      ["refused", exchange.refusal],
      ["ended early", exchange.error === exchange.refusal ? "" : exchange.error],
      ["faults", exchange.faults_text],
    ]),
    exchange.hint ? h("p", { class: "hint" }, `What to do: ${exchange.hint}. `, connectLink(exchange)) : null,
    steps(exchange.verdict),
    exchange.headers?.length
      ? h("details", { "data-key": `headers ${exchange.number}` }, h("summary", {}, `${exchange.headers.length} headers`),
        h("table", { class: "headers" }, h("tbody", {}, exchange.headers.map(([name, value]) =>
          h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, value))))))
      : null);
}
