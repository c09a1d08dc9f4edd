// Runs the experiment that the page describes.
"use strict";

const randomName = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(8)), (b) => b.toString(16).padStart(2, "0")).join("");

async function runExperiment() {
  const experiment = embedded("experiment");
  const visit = new Visit(experiment, await chooseSender(experiment));
  const screen = new ScreenRate();
  const common = {
    session: visit.resumed?.session ?? randomName(), experiment: experiment.fingerprint,
    task: experiment.task, participant: "", px_per_degree: "", distance_cm: "", distance_sd: "",
    browser: navigator.userAgent,
  };
  const jsPsych = initJsPsych();
  await jsPsych.run([startPage(experiment, visit, common)]);
  if (!(await visit.begin(common.participant, common.session))) return;
  const { list, participant, session } = visit.state;
  Object.assign(common, { list, participant, session });
  const trials = experiment.lists[list];
  const saver = new Saver(experiment.columns, visit);
  const films = new Films(experiment.files, jsPsych.pluginAPI.video_buffers, embedded("films"));
  const names = [...new Set(trials.flatMap((trial) => trial.shown.flatMap(filmNames)))];
  const used = names.map((name) => experiment.files[name]);
  const run = { experiment, trials, films, saver, common, screen, visit };
  for (const old of document.querySelectorAll(".jspsych-content-wrapper")) old.remove();
  await jsPsych.run([{
    name: "visit",
    timeline: [
      loadingPage(films, names),
      ...(experiment.calibrate === "card" ? cardPages(experiment, common) : []),
      fitPage(experiment, used, common),
      { timeline: trialPages(jsPsych, run), conditional_function: () => !common.stopped },
    ],
  }]);
  visit.stopped = common.stopped;
  await endPage(experiment, saver, common);
}

// Instructions, practice, and the test with a break before each block except the first. Trials that were
// answered before are left out.
function trialPages(jsPsych, run) {
  const { experiment, trials, common, visit } = run;
  const stairs = experiment.method === "quest" ? staircases(experiment) : {};
  const practice = trials.filter((trial) => trial.phase === "practice").length;
  const test = [], next = Math.max(practice, visit.next);
  for (const row of visit.done) update(stairs, row);
  for (let index = next; index < trials.length; index++) {
    if (index > practice && trials[index].block !== trials[index - 1].block)
      test.push(breakPage(experiment.rest, index / trials.length));
    test.push(trialPage(jsPsych, run, () => index, stairs));
  }
  return [
    screenPage(),
    instructionsPage(experiment, visit.next ? 0 : practice),
    ...(practice && !visit.next ? practicePages(jsPsych, run, practice, stairs) : []),
    { timeline: test, conditional_function: () => !common.stopped },
  ];
}

function update(stairs, { phase, band, contrast, correct }) {
  if (phase === "test" && stairs[band] && correct !== "") stairs[band].update(Number(contrast), Number(correct));
}

// Practice, repeated in another order until the criterion is reached, at most `most` times. An interrupted
// round is completed first.
function practicePages(jsPsych, run, count, stairs) {
  const { criterion, most, unmet } = run.experiment.practice, { done } = run.visit;
  const answered = new Set(done.slice(done.length - (done.length % count)).map(({ trial }) => Number(trial)));
  const all = Array.from({ length: count }, (_, k) => k);
  let order = [...all.filter((k) => !answered.has(k)), ...answered];
  let left = count - answered.size, round = Math.floor(done.length / count) + 1, failed = false;
  const right = () => done.slice(-count).filter(({ correct }) => String(correct) === "1").length;
  const judge = () => (failed = criterion !== null && right() < criterion * count);
  const goOn = () => {
    if (failed && round++ < most) {
      [order, left] = [jsPsych.randomization.shuffle(all), count];
      return true;
    }
    if (failed && unmet === "end") run.common.stopped = "practice_failed";
    return false;
  };
  if (done.length && !answered.size) { // the visit was interrupted between two rounds
    round -= 1;
    judge();
    if (!goOn()) return [];
  }
  const over = () => paged(page(say("practice_over")));
  return [
    {
      timeline: [
        ...all.map((place) => ({
          timeline: [trialPage(jsPsych, run, () => order[place], stairs)],
          conditional_function: () => place < left,
        })),
        {
          timeline: [paged(page(say("practice_over"), `<p>${say("practice_again")}</p>`))],
          conditional_function: () => judge() && round < most,
        },
      ],
      loop_function: goOn,
    },
    { timeline: [over()], conditional_function: () => !run.common.stopped },
  ];
}

function trialPage(jsPsych, run, place, stairs) {
  const { experiment, trials, films, saver, common, screen, visit } = run;
  const trial = () => trials[place()];
  const { phase, expected: key } = trial(); // the same for all places in practice
  const check = phase === "attention";
  const keys = check ? checkKeys(experiment) : experiment.keys;
  let shown = [];
  return {
    type: StstClips,
    shown: () => (shown = trial().shown.map((clip) => chosenFilm(clip, phase, stairs))),
    files: experiment.files,
    load: (film) => films.load(film),
    sized: (file) => sizeOf(file, experiment, common),
    rate: () => screen.hz,
    keys,
    share: () => place() / trials.length,
    prompt: check ? checkPrompt(key, keys) : promptOf(experiment),
    timing: experiment.timing,
    expected: () => trial().expected,
    feedback: !check && ["always", phase].includes(experiment.feedback),
    answered: (data) => {
      const own = { ...trial(), trial: place(), row: saver.rows.length, screen_hz: screen.hz };
      const row = rowOf({ ...common, ...own }, shown, data, experiment.files);
      saver.add(row);
      update(stairs, row);
      if (visit.answered(row)) jsPsych.abortTimelineByName("visit");
    },
  };
}

// In JATOS, its script must be loaded and ready before anything is saved.
if (location.pathname.includes("/publix/")) {
  const script = document.createElement("script");
  script.src = "jatos.js";
  script.onload = () => window.jatos.onLoad(runExperiment);
  document.head.append(script);
} else runExperiment();
