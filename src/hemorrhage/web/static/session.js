// The session: begun with a token where the server asks for one, erased on demand.

import { ApiError, getJson, send } from "./api.js";
import { byId, say } from "./dom.js";

/** Returns /api/about once there is a session; asks for the token where the server wants one. */
export async function enter() {
  for (;;) {
    try {
      const about = await getJson("/api/about");
      // Where the browser has a session already, it goes on: a page that is loaded again keeps its studies.
      await send("POST", "/api/session");
      return about;
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401) throw error;
      await askForToken(error.message);
    }
  }
}

async function askForToken(why) {
  const dialog = byId("token-dialog");
  const field = byId("token");
  say(byId("token-why"), why);
  field.value = "";
  dialog.showModal();
  await new Promise((done) => dialog.addEventListener("close", done, { once: true }));
  if (!field.value) return;
  const headers = { Authorization: `Bearer ${field.value}` };
  // Where it is not the right one, enter asks again with the server's words.
  await send("POST", "/api/session", headers).catch(() => null);
}

/** Erases all that the server holds of this session, and begins another. */
export async function erase() {
  await send("DELETE", "/api/session");
  await enter();
}

/** Asks whether all is to be erased; true where it is. */
export async function confirmErase() {
  const dialog = byId("erase-dialog");
  dialog.returnValue = "";
  dialog.showModal();
  await new Promise((done) => dialog.addEventListener("close", done, { once: true }));
  return dialog.returnValue === "erase";
}
