// Studies on a DICOMweb server, where this one was started with one.

import { getJson, send } from "./api.js";
import { build, byId, say } from "./dom.js";
import { orAlert } from "./messages.js";
import { count } from "./words.js";

/** Shows the panel; `onPull` is called with an upload's id and what it is. */
export function showPacs(pacs, onPull) {
  byId("pacs").hidden = pacs === null;
  if (pacs === null) return;
  say(byId("pacs-name"), pacs.name);
  byId("pacs-form").addEventListener("submit", (event) => {
    event.preventDefault();
    orAlert(() => list(onPull));
  });
}

async function list(onPull) {
  const button = byId("pacs-list");
  const query = new URLSearchParams();
  for (const end of ["from", "to"]) {
    const day = byId(`pacs-${end}`).value.replaceAll("-", "");
    if (day) query.set(end, day);
  }
  button.disabled = true;
  try {
    const studies = await getJson(`/api/pacs/studies?${query}`);
    say(byId("pacs-status"), studies.length ? "" : "No studies between these days.");
    byId("pacs-studies").replaceChildren(...studies.map((study) => buildStudy(study, onPull)));
  } finally {
    button.disabled = false;
  }
}

function buildStudy(study, onPull) {
  const title = [study.description || "No description", day(study.date)].filter(Boolean).join(", ");
  const pull = build("button", { type: "button", "aria-label": `Read ${title}` }, "Read");
  pull.addEventListener("click", () =>
    orAlert(async () => {
      const { upload } = await send("POST", `/api/pacs/studies/${encodeURIComponent(study.study)}/pull`);
      onPull(upload, title);
    }),
  );
  const detail = `${study.modalities} · ${count(study.series, "series", "series")}`;
  const words = [build("span", {}, title), build("span", { class: "work-detail" }, detail)];
  return build("li", {}, build("span", { class: "pacs-words" }, ...words), pull);
}

function day(date) {
  return date && date.length === 8 ? `${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6)}` : (date ?? "");
}
