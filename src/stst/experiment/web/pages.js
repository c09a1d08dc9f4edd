// The pages around the trials: loading, screen, instructions, breaks, end.
"use strict";

const WORDS = embedded("experiment").words;
const escaped = (text) => {
  const span = document.createElement("span");
  span.textContent = text;
  return span.innerHTML;
};
// A fixed text as HTML, with the values in its braces.
const say = (key, values = {}) =>
  escaped(WORDS[key].replace(/{(\w+)}/g, (_, name) => values[name]));
const page = (title, body = "") => `<h1 tabindex="-1">${title}</h1>${body}`;
const paragraphs = (text) =>
  text.split(/\n\s*\n/).map((part) => `<p>${escaped(part)}</p>`).join("");
const middle = (text) => `<p class="middling">${text}</p>`;
const bar = (share) =>
  `<progress max="1" value="${share.toFixed(3)}" aria-label="${say("progress")}"></progress>`;

// Devices without mouse or trackpad: keys are not shown, and text is typed on the on-screen keyboard.
const TOUCH = !matchMedia("(any-pointer: fine)").matches;
document.documentElement.classList.toggle("touch", TOUCH);

// jsPsych plugin: a page with buttons. The space bar and Enter press the first one.
class StstPage {
  static info = {
    name: "stst-page",
    version: "1.0.0",
    parameters: {
      html: { type: jsPsychModule.ParameterType.HTML_STRING },
      buttons: { type: jsPsychModule.ParameterType.HTML_STRING, array: true, default: [WORDS.continue] },
      share: { type: jsPsychModule.ParameterType.FLOAT, default: null }, // completed part of the experiment
      ready: { type: jsPsychModule.ParameterType.FUNCTION, default: null }, // (display, leave)
      pressed: { type: jsPsychModule.ParameterType.FUNCTION, default: null }, // false: stay
    },
    data: { button: { type: jsPsychModule.ParameterType.INT } },
  };

  constructor(jsPsych) {
    this.jsPsych = jsPsych;
  }

  trial(display, { html, buttons, share, ready, pressed }) {
    const space = `<kbd>${say("space")}</kbd>`;
    const button = (text, k) => `<button type="button" class="${k ? "other" : "main"}">${text} ${k ? "" : space}</button>`;
    display.innerHTML = `<main class="page"><button type="button" class="larger"
      aria-label="${say("larger")}" title="${say("larger")}">A+</button>
      ${share === null ? "" : bar(share)}${html}<p class="go">${buttons.map(button).join("")}</p></main>`;
    const leave = (number) => {
      document.removeEventListener("keydown", key);
      display.innerHTML = "";
      scrollTo(0, 0);
      this.jsPsych.finishTrial({ button: number });
    };
    const press = (number) => pressed?.(number, display) !== false && leave(number);
    const key = (event) => {
      const own = event.target.closest?.(event.key === "Enter" ? "button" : "button, input[type=text]");
      if (![" ", "Enter"].includes(event.key) || own) return;
      const main = display.querySelector(".go .main");
      event.preventDefault();
      if (!event.repeat && main && !main.disabled) press(0);
    };
    document.addEventListener("keydown", key);
    display.querySelectorAll(".go button").forEach((button, k) => (button.onclick = () => press(k)));
    display.querySelector(".larger").onclick = largerText;
    display.querySelector("h1")?.focus({ preventScroll: true });
    ready?.(display, leave);
  }
}

// Cycle through 100, 125 and 150 % of the text size of the browser.
function largerText() {
  const style = document.documentElement.style;
  style.fontSize = { "": "125%", "125%": "150%", "150%": "" }[style.fontSize];
}

const paged = (html, more = {}) => ({ type: StstPage, html, ...more });

function loadingPage(films, names) {
  const tell = (number, all) =>
    (document.getElementById("loading").innerHTML = say("loading", { number: number + 1, all }));
  return paged('<p class="middling" id="loading" role="status"></p>', {
    buttons: [],
    ready: (_, leave) => films.loadAll(names, tell).then(() => leave(0)),
  });
}

function screenPage() {
  const grey = (k) => `<span style="background: rgb(${Array(3).fill(Math.round(k * 25.5))})"></span>`;
  const ramp = `<div class="ramp">${Array.from({ length: 11 }, (_, k) => grey(k)).join("")}</div>`;
  const words = ["screen_text", "screen_quiet"].map((key) => `<p>${say(key)}</p>`).join("");
  return paged(page(say("screen_title"), ramp + words));
}

// Instructions, with the possible answers and their keys.
function instructionsPage(experiment, practice) {
  const answers = answerLabels(experiment).map(([, key, label]) =>
    `<li><kbd>${escaped(key.toUpperCase())}</kbd> ${label || `<strong>${escaped(key.toUpperCase())}</strong>`}</li>`);
  const list = `<p>${say("answers")}</p><ul class="keys">${answers.join("")}</ul>`;
  const first = practice ? `<p>${say("practice", { trials: practice })}</p>` : "";
  return paged(page(escaped(experiment.title),
    paragraphs(experiment.instructions) + (answers.length ? list : "") + first));
}

// A break; its button is enabled after `rest` seconds.
function breakPage(rest, share) {
  const waiting = middle(say("rest", { seconds: rest }));
  return paged(page(say("break"), rest > 0 ? waiting : ""), {
    share,
    ready: (display) => {
      const main = display.querySelector(".go .main");
      main.disabled = rest > 0;
      setTimeout(() => (main.disabled = false), rest * 1000);
    },
  });
}

// The last page: whether everything was saved; if not, the data as a file.
async function endPage(experiment, saver, common) {
  document.exitFullscreen?.().catch(() => {}); // it may not be in full screen
  const place = document.querySelector(".jspsych-content");
  const show = (body) =>
    (place.innerHTML = `<main class="page">${page(escaped(experiment.title), body)}</main>`);
  const { visit } = saver, { outcome } = visit;
  show(middle(say("saving")));
  if (!visit.moved) await visit.tell({ outcome });
  const saved = await saver.finish();
  const words = say(saved ? "saved" : saver.sender.send ? "not_sent" : "downloaded");
  const again = `<p class="go"><button type="button" id="again">${say("download_again")}</button></p>`;
  const end = visit.farewell(visit.outcome, visit.stopped ? WORDS[visit.stopped] : "", experiment.end);
  const empty = saver.rows.length === 0; // stopped before the first trial
  show(`${end}<p id="saved" role="status">${empty ? "" : words}</p>${saved || empty ? "" : again}`);
  if (!saved && !empty) {
    const download = () => saver.download(`${common.participant}_${common.session}.csv`);
    document.getElementById("again").onclick = download;
    download();
  }
  if (saved || empty) visit.go(outcome);
}
