// The experiment, from the description that the page holds.
"use strict";

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
  const screen = new ScreenRate();
  const common = {
    session, list, experiment: experiment.fingerprint, task: experiment.task, participant: "",
    px_per_degree: "", distance_cm: "", distance_sd: "", browser: navigator.userAgent,
  };
  const jsPsych = initJsPsych();
  const films = new Films(experiment.files, jsPsych.pluginAPI.video_buffers, embedded("films"));
  const names = [...new Set(trials.flatMap((trial) => trial.shown.flatMap(filmNames)))];
  const used = names.map((name) => experiment.files[name]);
  const run = { experiment, trials, films, saver, common, screen, row: 0 };
  await jsPsych.run([
    startPage(experiment, trials, used, asked.get("participant") ?? "", common, earlier),
    loadingPage(films, names),
    ...(experiment.calibrate === "card" ? cardPages(experiment, common) : []),
    fitPage(experiment, used, common),
    { timeline: trialPages(jsPsych, run), conditional_function: () => !common.stopped },
  ]);
  await endPage(experiment, saver, common);
}

// The list that the address or the server names, else any.
function chosenList(wanted, count) {
  const number = Number(wanted ?? Math.floor(Math.random() * count));
  return Number.isInteger(number) && number >= 0 ? number % count : 0;
}

// Instructions, practice, and the test with a break before each block but the first.
function trialPages(jsPsych, run) {
  const { experiment, trials, common } = run;
  const stairs = experiment.method === "quest" ? staircases(experiment) : {};
  const practice = trials.filter((trial) => trial.phase === "practice").length;
  const test = [];
  for (let index = practice; index < trials.length; index++) {
    if (index > practice && trials[index].block !== trials[index - 1].block)
      test.push(breakPage(experiment.rest, index / trials.length));
    test.push(trialPage(run, () => index, stairs));
  }
  return [
    screenPage(),
    instructionsPage(experiment, practice),
    ...(practice ? practicePages(jsPsych, run, practice, stairs) : []),
    { timeline: test, conditional_function: () => !common.stopped },
  ];
}

// Practice, again and in another order until enough was right, or as often as it may be.
function practicePages(jsPsych, run, count, stairs) {
  const { criterion, most, unmet } = run.experiment.practice;
  let order = Array.from({ length: count }, (_, k) => k), round = 1, failed = false;
  const right = () => run.saver.last("correct", count).filter((cell) => cell === "1").length;
  const over = () => paged(page(say("practice_over")));
  return [
    {
      timeline: [
        ...order.map((_, place) => trialPage(run, () => order[place], stairs)),
        {
          timeline: [paged(page(say("practice_over"), `<p>${say("practice_again")}</p>`))],
          conditional_function: () => {
            failed = criterion !== null && right() < criterion * count;
            return failed && round < most;
          },
        },
      ],
      loop_function: () => {
        if (failed && round++ < most) {
          order = jsPsych.randomization.shuffle(order);
          return true;
        }
        if (failed && unmet === "end") run.common.stopped = "practice_failed";
        return false;
      },
    },
    { timeline: [over()], conditional_function: () => !run.common.stopped },
  ];
}

function trialPage(run, place, stairs) {
  const { experiment, trials, films, saver, common, screen } = run;
  const trial = () => trials[place()];
  const { phase, expected: key } = trial(); // the same for all places in practice
  const check = phase === "attention";
  const keys = check ? checkKeys(experiment) : experiment.keys;
  let shown = [];
  return {
    type: StstClips,
    shown: () => (shown = trial().shown.map((one) => chosenFilm(one, phase, stairs))),
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
      const own = { ...trial(), trial: place(), row: run.row++, screen_hz: screen.hz };
      const row = rowOf({ ...common, ...own }, shown, data, experiment.files);
      saver.add(row);
      const stair = phase === "test" && stairs[row.band];
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
