// The page: makes the parts, and keeps them fed with what the server says.

import { getJson, getPixels } from "./api.js";
import { Charts } from "./chart.js";
import { showCorners } from "./corners.js";
import { byId } from "./dom.js";
import { followPanes, followTheme, showAbout, showHelp } from "./frame.js";
import { followKeys, listKeys } from "./keys.js";
import { alertPeople, clearMessages, orAlert } from "./messages.js";
import { Overlay } from "./overlay.js";
import { showPacs } from "./pacs.js";
import { followPointers } from "./pointer.js";
import { Reading, chosenOf } from "./reading.js";
import { Ruler } from "./ruler.js";
import { confirmErase, enter, erase } from "./session.js";
import { Slices } from "./slices.js";
import { Stage } from "./stage.js";
import { showStudies } from "./study.js";
import { Tools } from "./tools.js";
import { Uploads } from "./upload.js";
import { Worklist } from "./worklist.js";

const POLL_MS = 500;
const ENDED = ["done", "failed"];

async function start() {
  followTheme();
  const goToPane = followPanes();
  const about = await enter();
  showAbout(about);
  const reading = new Reading();
  const slices = new Slices(getPixels);
  const viewer = makeViewer(reading, slices, about);
  const desk = new Desk(reading, slices, goToPane);
  showStudies(reading, about, (series) => reading.open(reading.study, series));
  const help = () => byId("keys-dialog").showModal();
  const keys = listKeys({ ...viewer, reading, worklist: desk.worklist, help });
  followKeys(keys, viewer.ruler);
  showHelp(keys);
  byId("keys-open").addEventListener("click", help);
  desk.begin(about);
}

function makeViewer(reading, slices, about) {
  const stage = new Stage(reading, slices);
  const ruler = new Ruler(stage, reading);
  const tools = new Tools(stage, reading, ruler);
  const overlay = new Overlay(stage, reading, about);
  new Charts(reading, overlay, about.labels);
  showCorners(stage, reading);
  followPointers(stage, reading, tools, ruler);
  return { stage, ruler, tools, overlay };
}

/** The studies of the session: what has come, which one is open. */
class Desk {
  #seen = null;
  #timer = null;

  constructor(reading, slices, goToPane) {
    this.reading = reading;
    this.slices = slices;
    this.goToPane = goToPane;
    this.worklist = new Worklist((study) => orAlert(() => this.choose(study)));
  }

  begin(about) {
    this.uploads = new Uploads(about.limits, () => this.look());
    showPacs(about.pacs, (upload, title) => this.uploads.follow(upload, title));
    byId("erase").addEventListener("click", () => orAlert(() => this.erase()));
    this.look();
  }

  /** Asks for the worklist, again and again while anything in it is under way. */
  async look() {
    clearTimeout(this.#timer);
    const rows = await orAlert(() => getJson("/api/worklist"));
    if (!rows) return;
    this.worklist.show(rows);
    await orAlert(() => this.#follow(rows));
    if (rows.some((row) => !ENDED.includes(row.state))) {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.look(), POLL_MS);
    }
  }

  /** Opens a study. */
  async choose(id) {
    this.worklist.mark(id);
    this.#seen = null;
    const study = await getJson(`/api/studies/${id}`);
    if (this.worklist.open !== id) return;
    this.reading.open(study, chosenOf(study));
    this.goToPane("image");
  }

  async erase() {
    if (!(await confirmErase())) return;
    await erase();
    this.uploads.clear();
    this.slices.clear();
    this.worklist.mark(null);
    this.reading.close();
    clearMessages();
    this.goToPane("studies");
    await this.look();
  }

  async #follow(rows) {
    const open = rows.find((row) => row.study === this.worklist.open);
    const ready = rows.find((row) => row.state !== "reading");
    if (!open && ready) return this.choose(ready.study);
    const now = JSON.stringify(open);
    if (!open || now === this.#seen) return undefined;
    const study = await getJson(`/api/studies/${open.study}`);
    if (this.worklist.open !== open.study) return undefined;
    this.#seen = now;
    return this.reading.update(study);
  }
}

start().catch((error) => alertPeople(error.message));
