// The question of a trial, its films and its row of data.
"use strict";

// Answers of a task: [saved response, key, label as HTML]; ratings have no label.
const answerLabels = ({ task, keys }) =>
  Object.entries(keys).map(([answer, key]) =>
    [answer, key, task === "similarity" ? "" : task === "category" ? escaped(answer) : say(answer)]);

// The question after the films, with a button for each answer or a text field.
function promptOf(experiment) {
  const question = `<div class="question" id="question">${escaped(experiment.question)}</div>`;
  if (experiment.task === "naming")
    return `${question}<div class="typed"><input type="text" maxlength="100" autocomplete="off"
      autocapitalize="off" spellcheck="false" enterkeyhint="done" aria-labelledby="question"><button
      type="button" class="main">${say("done")}</button></div>`;
  const scale = experiment.task === "similarity";
  const ends = `<div class="ends"><span>${say("different")}</span><span>${say("same")}</span></div>`;
  return `${question}${answerButtons(answerLabels(experiment), scale)}${scale ? ends : ""}`;
}

// Buttons show the key and the label; without a label only the key.
const answerButtons = (labels, scale) =>
  `<div class="answers${scale ? " scale" : ""}" role="group" aria-labelledby="question">${labels
    .map(([answer, key, label]) => `<button type="button" data-answer="${escaped(answer).replace(/"/g, "&quot;")}">${
      label ? `<kbd>${escaped(key.toUpperCase())}</kbd> ${label}` : `<strong>${escaped(key.toUpperCase())}</strong>`}</button>`)
    .join("")}</div>`;

// One QUEST+ staircase (Watson 2017) per band: threshold and slope of a Weibull function.
function staircases(experiment) {
  const right = (c, t, slope) => 0.5 + 0.48 * (1 - Math.exp(-((c / t) ** slope)));
  const staircase = () =>
    new jsQuestPlus({
      psych_func: [(c, t, s) => 1 - right(c, t, s), right],
      stim_samples: [experiment.contrasts],
      psych_samples: [experiment.contrasts, [1, 2, 3.5, 5]],
    });
  return Object.fromEntries(experiment.bands.map((band) => [band, staircase()]));
}

// The version of a film to show: the only one, or the one that the staircase selects.
function chosenFilm(clip, phase, stairs) {
  if (!clip.versions) return clip;
  const [contrast, file] =
    phase === "test"
      ? clip.versions.find(([contrast]) => contrast === stairs[clip.band].getStimParams())
      : clip.versions.at(-1);
  return { ...clip, contrast, file };
}

const filmNames = (clip) => (clip.versions ? clip.versions.map(([, file]) => file) : [clip.file]);

// Attention check: the keys of the task, or two keys if answers are typed.
const checkKeys = ({ keys }) =>
  Object.fromEntries((Object.keys(keys).length ? Object.values(keys) : ["f", "j"]).map((key) => [key, key]));
const checkPrompt = (key, keys) =>
  `<div class="question" id="question">${say("check", { key: key.toUpperCase() })}</div>${
    answerButtons(Object.keys(keys).map((key) => [key, key, ""]))}`;

// The row of data of a trial; columns: docs/reference/experiments.md.
function rowOf(trial, shown, { answer, films, errors }, files) {
  const each = (value) => shown.map(value).join(";");
  const named = (name) => (shown[0]?.[name] === undefined ? "" : each((clip) => clip[name])); // empty with scoring: analysis
  const facts = shown.map((clip) => files[clip.file]);
  const place = ["first", "second", "third"].indexOf(answer.response);
  const chosen = (trial.task === "source" ? shown.slice(1) : shown)[place];
  const judged = trial.expected !== null && answer.response !== "";
  return {
    ...trial,
    time: new Date().toISOString(),
    stimuli: named("stimulus"),
    conditions: named("condition"),
    roles: named("role"),
    sha256: each((_, k) => (films[k].kind ? facts[k][films[k].kind].sha256 : "")),
    kinds: each((_, k) => films[k].kind),
    duration: shown[0]?.duration ?? "",
    band: shown.find((clip) => clip.band)?.band ?? "",
    contrast: shown.find((clip) => clip.band)?.contrast ?? "",
    key: answer.key,
    input: answer.input,
    response: answer.response,
    chosen: chosen && trial.phase !== "attention" ? chosen.role ?? "" : "",
    correct: judged ? Number(answer.response === trial.expected) : "",
    response_time: answer.time,
    frames_expected: each((_, k) => facts[k].frames),
    frames_presented: each((_, k) => films[k].presented),
    frames_dropped: each((_, k) => films[k].dropped),
    frames_late: each((_, k) => films[k].late),
    film_degrees: each((_, k) => films[k].degrees),
    film_scale: each((_, k) => films[k].scale),
    film_onset: each((_, k) => films[k].onset),
    film_end: each((_, k) => films[k].end),
    question_onset: answer.onset,
    frame_rate: facts[0]?.rate ?? "",
    window: [innerWidth, innerHeight].map((side) => Math.round(side * devicePixelRatio)).join("x"),
    errors: errors.join(" | "),
  };
}
