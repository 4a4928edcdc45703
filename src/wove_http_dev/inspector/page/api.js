// Requests to the control API, whose cookie the browser sends, and its stream of events.

const BASE = "api/v1/";

async function request(method, path, body) {
  const options = { method, credentials: "same-origin" };
  if (method !== "GET") {
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(body ?? {});
  }
  let response;
  try {
    response = await fetch(BASE + path, options);
  } catch {
    throw new Error("serve does not answer: is it still running?");
  }
  if (response.status === 204) return null;
  let document = null;
  try {
    document = await response.json();
  } catch {
    // said below, by its status
  }
  if (response.ok && document !== null) return document;
  const { error = `the answer has status ${response.status}`, hint } = document ?? {};
  const failed = new Error(hint ? `${error}: ${hint}` : error);
  failed.status = response.status;
  throw failed;
}

export const get = (path) => request("GET", path);
export const post = (path, body) => request("POST", path, body);
export const remove = (path) => request("DELETE", path);

const RETRY = 2000; // milliseconds; a browser gives up after any answer but 200

// Calls handlers[name](data) for each event (of exchanges, for those alone that were refused or
// failed: the page shows no others), handlers.open() when the stream is connected and
// handlers.closed() when it is not.
export function listen(handlers) {
  let source;
  const connect = () => {
    source = new EventSource(`${BASE}events?problems=true`);
    source.onopen = () => handlers.open();
    source.onerror = () => {
      handlers.closed();
      if (source.readyState === EventSource.CLOSED) setTimeout(connect, RETRY);
    };
    for (const name of ["run", "exchange", "injections", "holds", "stubs", "reset", "reload"]) {
      source.addEventListener(name, (event) => handlers[name](event.data && JSON.parse(event.data)));
    }
  };
  connect();
}
