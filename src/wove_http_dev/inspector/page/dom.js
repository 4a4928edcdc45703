// Elements made from data. Text from tasks and requests only ever becomes a text node.

export const $ = (id) => document.getElementById(id);

// h("td", {class: "ms"}, "12", child): an element with attributes, event handlers (onclick) and children.
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

export function show(message) {
  const alert = $("message");
  alert.hidden = !message;
  alert.textContent = message;
}

// A button whose action may fail: the error is shown, and the button is disabled meanwhile.
export function button(text, action, attributes = {}) {
  return h("button", {
    type: "button",
    ...attributes,
    onclick: async (event) => {
      const pressed = event.currentTarget;
      pressed.disabled = true;
      try {
        show("");
        await action(pressed);
      } catch (error) {
        show(error.message);
      } finally {
        pressed.disabled = false;
      }
    },
  }, text);
}

export function copyButton(text, label = "Copy") {
  return button(label, async (pressed) => {
    await navigator.clipboard.writeText(text);
    pressed.textContent = "Copied";
    setTimeout(() => { pressed.textContent = label; }, 1500);
  });
}

// The only children of a container. Those that stay are not moved: a click is lost if its element is
// taken out between the press and the release of the button.
function place(container, children) {
  const wanted = new Set(children);
  for (const child of [...container.children]) if (!wanted.has(child)) child.remove();
  let next = container.firstElementChild;
  for (const child of children) {
    if (child === next) next = next.nextElementSibling;
    else container.insertBefore(child, next);
  }
}

// Returns draw(items), after which the container shows them. make(item) returns [element, update] for
// an item whose key(item) was not shown; update(item), if any, is called at each draw. An id alone is
// no key: a worker that is started again numbers from 1.
export function list(container, key, make) {
  let shown = new Map();
  return (items, before = [], after = []) => {
    const old = shown;
    shown = new Map();
    for (const item of items) {
      const made = old.get(key(item)) ?? make(item);
      made[1]?.(item);
      shown.set(key(item), made);
    }
    place(container, [...before, ...[...shown.values()].map(([element]) => element), ...after]);
  };
}

export const put = (element, text) => { if (element.textContent !== text) element.textContent = text; };

// A part of an address for any text. UTF-8 cannot write a lone surrogate, which an id may have: its
// bytes are those that Python's "surrogatepass" writes.
export const encoded = (text) => text.split(/([\ud800-\udfff])/u).map((part, index) => {
  if (index % 2 === 0) return encodeURIComponent(part);
  const byte = (bits) => `%${(0x80 | (bits & 0x3f)).toString(16).toUpperCase()}`;
  return `%ED${byte(part.charCodeAt(0) >> 6)}${byte(part.charCodeAt(0))}`;
}).join("");

export const decoded = (part) => part.split(/(%ED%[AB][0-9A-F]%[89AB][0-9A-F])/).map((piece, index) => {
  if (index % 2) {
    const [high, low] = piece.slice(4).split("%").map((byte) => parseInt(byte, 16) & 0x3f);
    return String.fromCharCode(0xd000 | (high << 6) | low);
  }
  try {
    return decodeURIComponent(piece);
  } catch {
    return piece; // an address that was typed by hand
  }
}).join("");

// Replace the children of a container. An element with the data-key of one that was there keeps
// its focus, whether it is open (details), and how far it is scrolled; at its end it stays there.
export function fill(container, ...children) {
  const focused = container.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  const before = new Map();
  for (const element of container.querySelectorAll("[data-key]")) {
    const { scrollTop, scrollLeft, scrollHeight, clientHeight, open } = element;
    const end = scrollTop > 0 && scrollTop + clientHeight >= scrollHeight - 2;
    before.set(element.dataset.key, { open, scrollLeft, scrollTop: end ? Infinity : scrollTop });
  }
  container.replaceChildren(...children.flat(Infinity).filter((child) => child !== null));
  for (const element of container.querySelectorAll("[data-key]")) {
    const { key } = element.dataset;
    const was = before.get(key);
    if (was?.open) element.open = true;
    if (was?.scrollTop || was?.scrollLeft) element.scrollTo(was.scrollLeft, Math.min(was.scrollTop, element.scrollHeight));
    if (key === focused) element.focus({ preventScroll: true });
  }
}
