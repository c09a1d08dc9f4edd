// The experiment: its pages and trials, from the description that the page holds.
"use strict";

const embedded = (id) => JSON.parse(document.getElementById(id)?.textContent || "null");
const randomName = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(8)), (b) => b.toString(16).padStart(2, "0")).join("");

async function runExperiment() {
  const experiment = embedded("experiment");
  const asked = new URLSearchParams(location.search);
  const earlier = leftover();
  const session = randomName();
  const sender = await chooseSender(experiment.columns);
  const saver = new Saver(experiment.columns, sender, session);
  const list = chosenList(asked.get("list") ?? sender.next, experiment.lists.length);
  const trials = experiment.lists[list];
  const common = {
    session, list, experiment: experiment.fingerprint, task: experiment.task,
    participant: "", screen_hz: "", px_per_degree: "", browser: navigator.userAgent,
  };
  const jsPsych = initJsPsych();
  const films = new Films(experiment.files, jsPsych.pluginAPI.video_buffers, embedded("films"));
  const names = [...new Set(trials.flatMap((trial) => trial.shown.flatMap(filmNames)))];
  const title = escaped(experiment.title);
  await jsPsych.run([
    startPage(title, asked.get("participant") ?? "", common, earlier),
    loadingPage(jsPsych, films, names),
    ...(experiment.calibrate ? [cardPage(experiment.distance, common)] : []),
    screenPage(films, names.map((name) => experiment.files[name]), common),
    keyed(page(title, paragraphs(experiment.instructions), SPACE)),
    ...trialPages(experiment, trials, { films, saver, common }),
  ]);
  await endPage(experiment, saver, common);
}

// The list that the address or the server names, else any.
function chosenList(wanted, count) {
  const number = Number(wanted ?? Math.floor(Math.random() * count));
  return Number.isInteger(number) && number >= 0 ? number % count : 0;
}

// All trials of a list, with a break before each block but the first.
function trialPages(experiment, trials, run) {
  const stairs = experiment.method === "quest" ? staircases(experiment) : {};
  const pages = [];
  let block = null;
  trials.forEach((trial, index) => {
    if (trial.phase !== "practice" && trial.block !== block) {
      if (block !== null) pages.push(...breakPages(experiment.rest));
      else if (index > 0) pages.push(keyed(page("Practice is over", "", SPACE)));
      block = trial.block;
    }
    pages.push(trialPage(experiment, { ...trial, trial: index, row: index }, stairs, run));
  });
  return pages;
}

function trialPage(experiment, trial, stairs, { films, saver, common }) {
  const check = trial.phase === "attention";
  let shown = [];
  return {
    type: StstClips,
    shown: () => (shown = trial.shown.map((one) => chosenFilm(one, trial.phase, stairs))),
    files: experiment.files,
    load: (film) => films.load(film),
    keys: check ? { [trial.expected]: trial.expected } : experiment.keys,
    prompt: check ? checkPrompt(trial.expected) : promptOf(experiment),
    timing: experiment.timing,
    expected: trial.expected,
    feedback: !check && ["always", trial.phase].includes(experiment.feedback),
    answered: (data) => {
      const row = rowOf({ ...common, ...trial }, shown, data, experiment.files);
      saver.add(row);
      const stair = trial.phase === "test" && stairs[row.band];
      if (stair && row.correct !== "") stair.update(row.contrast, row.correct);
    },
  };
}

// In JATOS its script must be there, and ready, before anything is saved.
if (location.pathname.includes("/publix/")) {
  const script = document.createElement("script");
  script.src = "jatos.js";
  script.onload = () => window.jatos.onLoad(runExperiment);
  document.head.append(script);
} else runExperiment();
