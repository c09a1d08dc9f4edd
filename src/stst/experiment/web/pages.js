// The pages round the trials: start, loading, card, screen, instructions, breaks, end.
"use strict";

const SPACE = "Press <kbd>space</kbd> to go on.";
const page = (title, body, go) =>
  `<div class="page"><h1>${title}</h1>${body}${go ? `<p class="go">${go}</p>` : ""}</div>`;
const paragraphs = (text) =>
  text.split(/\n\s*\n/).map((part) => `<p>${escaped(part)}</p>`).join("");
const keyed = (stimulus, choices = [" "], more = {}) =>
  ({ type: jsPsychHtmlKeyboardResponse, stimulus, choices, ...more });
const plain = (text) => text.replace(/[^\w-]/g, "").slice(0, 64);

// The click lets the browser play films; `common` gets the participant's name.
function startPage(title, given, common, earlier) {
  common.participant = plain(given);
  const field = `<p class="middling"><label>Participant <input type="text" id="participant"
    maxlength="64" value="${common.participant}"></label></p><p class="middling" id="earlier"></p>`;
  return {
    type: jsPsychHtmlButtonResponse,
    choices: ["Start"],
    stimulus: page(title, field),
    on_load: () => {
      const typed = document.getElementById("participant");
      typed.focus();
      typed.oninput = () => (common.participant = plain(typed.value));
      for (const [key, text] of earlier) {
        const button = document.createElement("button");
        button.textContent = "Download the answers of a session that was broken off";
        button.onclick = () => downloadText(text, `${key}.csv`);
        document.getElementById("earlier").append(button);
      }
    },
    on_finish: () => {
      common.participant ||= `anonymous-${common.session.slice(0, 8)}`;
      // Where it is refused the window stays as it is; rows have its size.
      document.documentElement.requestFullscreen?.().catch(() => {});
    },
  };
}

function loadingPage(jsPsych, films, names) {
  const tell = (done, all) =>
    (document.getElementById("loading").textContent = `Loading film ${done + 1} of ${all} ...`);
  return keyed('<div class="page middling" id="loading">Loading ...</div>', "NO_KEYS", {
    on_load: () => films.loadAll(names, tell).then(() => jsPsych.finishTrial()),
  });
}

// A bank card held to the screen (Li et al. 2020) gives px per mm, and with the distance degrees.
function cardPage(distance, common) {
  return {
    type: jsPsychVirtualChinrest,
    blindspot_reps: 0,
    adjustment_prompt: `<p>Hold a bank card (85.6 mm wide) to the screen. Drag the red corner until
      the light field is as wide as the card.</p><p>Then sit so that your eyes are
      ${distance} cm from the screen.</p>`,
    adjustment_button_prompt: "It fits",
    on_finish: (data) => {
      const perMm = (data.item_width_px / data.item_width_mm) * devicePixelRatio;
      const degree = 20 * distance * Math.tan(Math.PI / 360); // mm
      common.px_per_degree = Math.round(perMm * degree * 100) / 100;
    },
  };
}

// Refreshes of the screen per second, from the times between frames of the page.
async function screenRate() {
  const gaps = [];
  let last = await new Promise(requestAnimationFrame);
  for (let count = 0; count < 60; count++) {
    const now = await new Promise(requestAnimationFrame);
    gaps.push(now - last);
    last = now;
  }
  const middle = gaps.sort((one, other) => one - other)[30];
  return Math.round(10000 / middle) / 10;
}

function screenFacts(films, used, hz) {
  const fits = used.every((film) =>
    innerWidth * devicePixelRatio >= film.width && innerHeight * devicePixelRatio >= film.height);
  const even = used.every(({ rate }) => Math.abs(hz / rate - Math.round(hz / rate)) < 0.03);
  return {
    Films: films.lossless ? "shown without loss" : "shown as previews, with slightly other colours",
    Window: fits ? "large enough" : "too small: enlarge it, or set the zoom to 100 %",
    Screen: `${hz} Hz${even ? "" : `, not a multiple of the films' ${used[0].rate} Hz`}`,
  };
}

// What this screen can show, measured while the participant reads.
function screenPage(films, used, common) {
  const grey = (k) => `<span style="background: rgb(${Array(3).fill(Math.round(k * 25.5))})"></span>`;
  const ramp = `<div class="ramp">${Array.from({ length: 11 }, (_, k) => grey(k)).join("")}</div>`;
  const words = `<p>All eleven fields should differ. If they do not, change the screen's brightness,
    or the light in the room. Close other programs.</p>`;
  return keyed(page("Your screen", `<table class="checks"></table>${ramp}${words}`, SPACE), [" "], {
    on_load: async () => {
      common.screen_hz = await screenRate();
      const facts = Object.entries(screenFacts(films, used, common.screen_hz));
      const table = document.querySelector(".checks");
      if (table) // the page may have been left
        table.innerHTML = facts.map((fact) => `<tr><td>${fact.join("</td><td>")}</td></tr>`).join("");
    },
  });
}

function breakPages(rest) {
  const resting = page("A break", `<p class="middling">You can go on in ${rest} seconds.</p>`);
  const wait = keyed(resting, "NO_KEYS", { trial_duration: rest * 1000 });
  return [...(rest > 0 ? [wait] : []), keyed(page("A break", "", SPACE))];
}

// The last page says whether everything was saved, and gives the file if not.
async function endPage(experiment, saver, common) {
  document.exitFullscreen?.().catch(() => {}); // there may be none
  const place = document.querySelector(".jspsych-content");
  const show = (body) => (place.innerHTML = page(escaped(experiment.title), body));
  show("<p>Saving ...</p>");
  const saved = await saver.finish();
  const words = saved
    ? "Your answers were saved. You may close this page."
    : saver.sender.send
      ? "Your answers could not be sent. Please give the downloaded file to the experimenter."
      : "Your answers are in the file that was downloaded.";
  const again = '<button id="again" class="jspsych-btn">Download again</button>';
  show(`${paragraphs(experiment.end)}<p id="saved">${words}</p>${saved ? "" : again}`);
  if (!saved) {
    const download = () => saver.download(`${common.participant}_${common.session}.csv`);
    document.getElementById("again").onclick = download;
    download();
  }
  if (window.jatos && saved) window.jatos.endStudy();
}
