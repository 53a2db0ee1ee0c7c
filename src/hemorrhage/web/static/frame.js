// The frame around the reading: what runs here, panes on a phone, light and dark, the list of keys.

import { build, byId, say } from "./dom.js";

const LIGHT = matchMedia("(prefers-color-scheme: light)");

/** Says which network runs and repeats the server's warning. */
export function showAbout(about) {
  say(byId("warning"), about.warning);
  say(byId("run"), `${about.run} · ${about.version}`);
  byId("run").title = about.run_words;
}

/** Lets a phone show one pane at a time; returns what goes to one by name. */
export function followPanes() {
  const buttons = [...document.querySelectorAll("[data-go]")];
  const go = (pane) => {
    document.body.dataset.pane = pane;
    for (const button of buttons) button.setAttribute("aria-current", button.dataset.go === pane);
  };
  for (const button of buttons) button.addEventListener("click", () => go(button.dataset.go));
  go("studies");
  return go;
}

/** Follows the system's light or dark until the button chooses; the image stays on black either way. */
export function followTheme() {
  const button = byId("theme");
  const show = (light) => {
    document.documentElement.dataset.theme = light ? "light" : "dark";
    say(button, light ? "Dark" : "Light");
  };
  button.addEventListener("click", () => show(document.documentElement.dataset.theme !== "light"));
  LIGHT.addEventListener("change", () => show(LIGHT.matches));
  show(LIGHT.matches);
}

/** Fills the list of keys; returns what opens it. */
export function showHelp(keys) {
  const rows = keys.filter((key) => key.shown);
  byId("keys").replaceChildren(...rows.flatMap((key) => [build("dt", {}, key.shown), build("dd", {}, key.does)]));
}
