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
  const place = $("message");
  place.hidden = !message;
  place.textContent = message;
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
