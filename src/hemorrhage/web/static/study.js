// The panel beside the image: the study's answer, exports, header facts and series.

import { showAnswer } from "./answer.js";
import { build, byId, say } from "./dom.js";

const EXPORTS = [
  ["csv", "CSV", "A table of all probabilities"],
  ["sr.dcm", "Structured report", "DICOM SR"],
  ["sc.dcm", "Picture", "DICOM Secondary Capture"],
];

/** Keeps the panel in step with the reading; `onSeries` is called with a series that is to be shown. */
export function showStudies(reading, about, onSeries) {
  const draw = () => {
    const { study, series } = reading;
    showAnswer(study, about);
    say(byId("study-title"), study.title);
    say(byId("study-description"), study.description);
    byId("facts").replaceChildren(...study.facts.flatMap(buildFact));
    const isShown = (one) => one.series === series?.series;
    byId("series").replaceChildren(...study.series.map((one) => buildSeries(one, isShown(one), onSeries)));
    byId("exports").replaceChildren(...EXPORTS.map((kind) => buildExport(study, kind)));
  };
  for (const event of ["open", "update"]) reading.addEventListener(event, draw);
  reading.addEventListener("open", () => setOpen(true));
  reading.addEventListener("close", () => setOpen(false));
}

function buildFact([name, value]) {
  return [build("dt", {}, name), build("dd", {}, value)];
}

function setOpen(open) {
  document.body.classList.toggle("has-study", open);
}

function buildSeries(series, isShown, onSeries) {
  const title = build("span", { class: "series-title" }, series.title);
  const why = build("span", { class: "series-why" }, series.chosen ? series.why : `left out: ${series.why}`);
  if (!series.chosen) return build("li", { class: "series left" }, title, why);
  const show = () => onSeries(series);
  const button = build("button", { type: "button", "aria-current": isShown, onclick: show }, title, why);
  return build("li", { class: "series" }, button);
}

function buildExport(study, [extension, name, title]) {
  if (study.state !== "done") return build("button", { type: "button", disabled: true, title }, name);
  const href = `/api/studies/${study.study}/export.${extension}`;
  return build("a", { class: "button", href, download: "", title }, name);
}
