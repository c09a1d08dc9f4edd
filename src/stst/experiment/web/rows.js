// A trial's question, its films and its row of data.
"use strict";

// Answers of a task: [what is saved, key, its label as HTML]; ratings have none.
const answerLabels = ({ task, keys }) =>
  Object.entries(keys).map(([answer, key]) =>
    [answer, key, task === "similarity" ? "" : task === "category" ? escaped(answer) : say(answer)]);

// What is asked after the films, with a button for each answer, or a field to type.
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

// Labels stand beside their keys; where there are none the key itself is the label.
const answerButtons = (labels, scale) =>
  `<div class="answers${scale ? " scale" : ""}" role="group" aria-labelledby="question">${labels
    .map(([answer, key, label]) => `<button type="button" data-answer="${escaped(answer).replace(/"/g, "&quot;")}">${
      label ? `<kbd>${escaped(key.toUpperCase())}</kbd> ${label}` : `<strong>${escaped(key.toUpperCase())}</strong>`}</button>`)
    .join("")}</div>`;

// One staircase (Watson 2017) for each band: threshold and slope of a Weibull function.
function staircases(experiment) {
  const right = (c, t, slope) => 0.5 + 0.48 * (1 - Math.exp(-((c / t) ** slope)));
  const made = () =>
    new jsQuestPlus({
      psych_func: [(c, t, s) => 1 - right(c, t, s), right],
      stim_samples: [experiment.contrasts],
      psych_samples: [experiment.contrasts, [1, 2, 3.5, 5]],
    });
  return Object.fromEntries(experiment.bands.map((band) => [band, made()]));
}

// Which of its versions a film of a trial is: the one there is, or as the staircase asks.
function chosenFilm(one, phase, stairs) {
  if (!one.versions) return one;
  const [contrast, file] =
    phase === "test"
      ? one.versions.find(([contrast]) => contrast === stairs[one.band].getStimParams())
      : one.versions.at(-1);
  return { ...one, contrast, file };
}

const filmNames = (one) => (one.versions ? one.versions.map(([, file]) => file) : [one.file]);

// A check: its keys are those of the task, or two where answers are typed.
const checkKeys = ({ keys }) =>
  Object.fromEntries((Object.keys(keys).length ? Object.values(keys) : ["f", "j"]).map((key) => [key, key]));
const checkPrompt = (key, keys) =>
  `<div class="question" id="question">${say("check", { key: key.toUpperCase() })}</div>${
    answerButtons(Object.keys(keys).map((one) => [one, one, ""]))}`;

// The row of data of a trial; columns are told in docs/experiment.md.
function rowOf(trial, shown, { answer, films, errors }, files) {
  const each = (value) => shown.map(value).join(";");
  const named = (name) => (shown[0]?.[name] === undefined ? "" : each((one) => one[name])); // else secret
  const facts = shown.map((one) => files[one.file]);
  const place = ["first", "second", "third"].indexOf(answer.response);
  const chosen = (trial.task === "source" ? shown.slice(1) : shown)[place];
  const judged = trial.expected !== null && answer.response !== "";
  return {
    ...trial,
    time: new Date().toISOString(),
    stimuli: named("stimulus"),
    conditions: named("condition"),
    roles: named("role"),
    sha256: each((one, k) => (films[k].kind ? facts[k][films[k].kind].sha256 : "")),
    kinds: each((one, k) => films[k].kind),
    duration: shown[0]?.duration ?? "",
    band: shown.find((one) => one.band)?.band ?? "",
    contrast: shown.find((one) => one.band)?.contrast ?? "",
    key: answer.key,
    input: answer.input,
    response: answer.response,
    chosen: chosen && trial.phase !== "attention" ? chosen.role ?? "" : "",
    correct: judged ? Number(answer.response === trial.expected) : "",
    response_time: answer.time,
    frames_expected: each((one, k) => facts[k].frames),
    frames_presented: each((one, k) => films[k].presented),
    frames_dropped: each((one, k) => films[k].dropped),
    frames_late: each((one, k) => films[k].late),
    film_degrees: each((one, k) => films[k].degrees),
    film_scale: each((one, k) => films[k].scale),
    film_onset: each((one, k) => films[k].onset),
    film_end: each((one, k) => films[k].end),
    question_onset: answer.onset,
    frame_rate: facts[0]?.rate ?? "",
    window: [innerWidth, innerHeight].map((side) => Math.round(side * devicePixelRatio)).join("x"),
    errors: errors.join(" | "),
  };
}
