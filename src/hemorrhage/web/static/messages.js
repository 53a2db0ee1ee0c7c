// Errors as sentences that stay until they are dismissed and block nothing.

import { build, byId } from "./dom.js";

const MOST = 4;

/** Shows a sentence as an alert; the same one is not shown twice. */
export function alertPeople(text) {
  const list = byId("messages");
  if ([...list.children].some((shown) => shown.firstChild.textContent === text)) return;
  const message = build("div", { class: "message", role: "alert" }, build("p", {}, text));
  const dismiss = build("button", { type: "button", onclick: () => message.remove() }, "Dismiss");
  message.append(dismiss);
  list.append(message);
  while (list.children.length > MOST) list.firstChild.remove();
}

/** Runs a step and shows what it throws; returns what it returns, undefined after an error. */
export async function orAlert(step) {
  try {
    return await step();
  } catch (error) {
    alertPeople(error.message);
    return undefined;
  }
}

export function clearMessages() {
  byId("messages").replaceChildren();
}
