// The study's answer, in numbers and in words that say what the numbers are worth.

import { build, byId, say } from "./dom.js";
import { percent } from "./words.js";

const KINDS = {
  learned: "From a model fitted on whole studies to the slices' probabilities.",
  max: "The highest probability of its slices.",
};

/** Draws the answer of a study as it is now. */
export function showAnswer(study, about) {
  say(byId("answer-any"), percent(study.answer?.any));
  say(byId("answer-state"), stateOf(study));
  byId("answer-labels").replaceChildren(
    ...about.labels.flatMap((label, at) => (label === "any" ? [] : [buildLabel(label, at, study.answer?.[label])])),
  );
  byId("answer-words").replaceChildren(...sentences(study, about).map((text) => build("p", {}, text)));
}

function stateOf({ state, done, total, error }) {
  if (state === "failed") return error ?? "This study could not be read.";
  if (state === "reading") return "reading its slices";
  return state === "predicting" ? `predicting ${done} of ${total}` : "";
}

function buildLabel(label, at, probability) {
  const bar = build("span", { class: "answer-bar", "aria-hidden": "true" });
  bar.style.width = `${100 * (probability ?? 0)}%`;
  return build(
    "div",
    { class: `answer-label label-${at}` },
    build("dt", {}, label),
    build("dd", {}, build("span", { class: "answer-track" }, bar), build("span", {}, percent(probability))),
  );
}

/** Returns what the answer is: how it was made, whether calibrated, by which network. */
export function sentences(study, about) {
  const calibration = study.calibrated
    ? "Calibrated on slices the network had not seen."
    : "Not calibrated: fit to rank studies by, not to be read as a risk.";
  const network = `Network ${about.run}: ${about.run_words}.`;
  const synthetic = about.synthetic ? ["It has seen no real head. On real heads these numbers mean little."] : [];
  const kind = study.answer ? [KINDS[study.answer_kind] ?? study.answer_kind] : [];
  return [...kind, calibration, network, ...synthetic];
}
