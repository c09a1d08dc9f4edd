// A trial's question, its films and its row of data.
"use strict";

const escaped = (text) => {
  const span = document.createElement("span");
  span.textContent = text;
  return span.innerHTML;
};

// What is asked after the films, with the keys that answer.
function promptOf(experiment) {
  const question = `<div class="question">${escaped(experiment.question)}</div>`;
  if (experiment.task === "naming")
    return `${question}<input type="text" maxlength="100" autocomplete="off" spellcheck="false">`;
  const answers = Object.entries(experiment.keys)
    .map(([answer, key]) => {
      const label = experiment.task === "similarity" ? "" : escaped(answer);
      return `<div><kbd>${escaped(key.toUpperCase())}</kbd>${label}</div>`;
    })
    .join("");
  const ends = '<div class="ends"><span>very different</span><span>the same</span></div>';
  return `${question}<div class="answers">${answers}</div>${
    experiment.task === "similarity" ? ends : ""}`;
}

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

const checkPrompt = (key) =>
  `<div class="question">This is a check. Press <kbd>${escaped(key.toUpperCase())}</kbd>.</div>`;

// The row of data of a trial; columns are told in docs/experiment.md.
function rowOf(trial, shown, { answer, films, errors }, files) {
  const each = (value) => shown.map(value).join(";");
  const facts = shown.map((one) => files[one.file]);
  const place = ["first", "second", "third"].indexOf(answer.response);
  const chosen = (trial.task === "source" ? shown.slice(1) : shown)[place];
  const judged = trial.expected !== null && answer.response !== "";
  return {
    ...trial,
    time: new Date().toISOString(),
    stimuli: each((one) => one.stimulus),
    conditions: each((one) => one.condition),
    roles: each((one) => one.role),
    sha256: each((one, k) => (films[k].kind ? facts[k][films[k].kind].sha256 : "")),
    kinds: each((one, k) => films[k].kind),
    duration: shown[0]?.duration ?? "",
    band: shown.find((one) => one.band)?.band ?? "",
    contrast: shown.find((one) => one.band)?.contrast ?? "",
    key: answer.key,
    response: answer.response,
    chosen: chosen && trial.phase !== "attention" ? chosen.role : "",
    correct: judged ? Number(answer.response === trial.expected) : "",
    response_time: answer.time,
    frames_expected: each((one, k) => facts[k].frames),
    frames_presented: each((one, k) => films[k].presented),
    frames_dropped: each((one, k) => films[k].dropped),
    film_onset: each((one, k) => films[k].onset),
    film_end: each((one, k) => films[k].end),
    question_onset: answer.onset,
    frame_rate: facts[0]?.rate ?? "",
    window: [innerWidth, innerHeight].map((side) => Math.round(side * devicePixelRatio)).join("x"),
    errors: errors.join(" | "),
  };
}
