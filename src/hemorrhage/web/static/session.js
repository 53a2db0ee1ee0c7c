// The session: begun with a token where the server asks for one, erased on demand.

import { ApiError, getJson, send } from "./api.js";
import { byId, say } from "./dom.js";

/** Returns /api/about once there is a session; asks for the token where the server wants one. */
export async function enter() {
  for (;;) {
    try {
      const about = await getJson("/api/about");
      await join();
      return about;
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401) throw error;
      await askForToken(error.message);
    }
  }
}

async function join() {
  try {
    // A page that is loaded again keeps its studies.
    await getJson("/api/worklist");
  } catch (error) {
    if (error.status !== 401) throw error;
    await send("POST", "/api/session");
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
  await send("POST", "/api/session", headers).catch((error) => say(byId("token-why"), error.message));
}

/** Erases all that the server holds of this session, and begins another. */
export async function erase() {
  await send("DELETE", "/api/session");
  await send("POST", "/api/session");
}

/** Asks whether all is to be erased; true where it is. */
export async function confirmErase() {
  const dialog = byId("erase-dialog");
  dialog.returnValue = "";
  dialog.showModal();
  await new Promise((done) => dialog.addEventListener("close", done, { once: true }));
  return dialog.returnValue === "erase";
}
