// The first page: number of trials, whether this device is suitable, and the participant's name.
"use strict";

// A name in the form in which it is saved: without accents, with hyphens for spaces; null if it has other letters.
function savedName(typed) {
  const letters = { ß: "ss", æ: "ae", Æ: "AE", œ: "oe", Œ: "OE", ø: "o", Ø: "O", ł: "l", Ł: "L", đ: "d", ð: "d", þ: "th", ı: "i" };
  const plain = typed.normalize("NFKD").replace(/[\u0300-\u036f]/g, "")
    .replace(/[^\x00-\x7f]/g, (letter) => letters[letter] ?? letter).trim().replace(/[\s.'’]+/g, "-");
  return /^[A-Za-z0-9_-]{0,64}$/.test(plain) ? plain : null;
}

// Estimated duration of all trials in minutes, with time to read and to answer.
function minutesOf(experiment, trials) {
  const { timing, files, task } = experiment;
  const film = (clip) => files[filmNames(clip)[0]];
  const ms = (trial) => trial.shown.reduce((sum, clip) => sum + timing.fixation + timing.hold
    + timing.gap + (1000 * film(clip).frames) / film(clip).rate, timing.after + (task === "naming" ? 5000 : 1500));
  const breaks = new Set(trials.map((trial) => trial.block)).size * experiment.rest * 1000;
  const pages = experiment.calibrate === "card" ? 150000 : 60000;
  return Math.max(1, Math.ceil((trials.reduce((sum, trial) => sum + ms(trial), breaks) + pages) / 60000));
}

// Why this device cannot show the experiment at the moment; empty if it can.
function shortfall(experiment, used, keyboard) {
  if (experiment.devices === "keyboard" && TOUCH && !keyboard) return say("need_keyboard");
  const most = (side) => (experiment.size ? 0 : Math.max(...used.map((film) => film[side])));
  const width = Math.max(most("width"), experiment.distance === "measured" ? 640 * devicePixelRatio : 0);
  const [own_width, own_height] = [innerWidth, innerHeight].map((side) => Math.round(side * devicePixelRatio));
  const fits = own_width >= width && own_height >= most("height");
  return fits ? "" : say("need_window", { width: Math.round(width), height: most("height") || own_height, own_width, own_height });
}

// The click on the button allows the browser to play films; `common` gets the participant's name. The list
// is not known yet, so the text holds for all lists.
function startPage(experiment, visit, common) {
  const used = Object.values(experiment.files);
  const trials = experiment.lists.reduce((longest, list) => (list.length > longest.length ? list : longest));
  const typing = TOUCH && experiment.task === "naming" ? `<p>${say("typing")}</p>` : "";
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches ? `<p>${say("motion")}</p>` : "";
  const counts = { trials: trials.length, minutes: minutesOf(experiment, trials) };
  const body = `${middle(say("overview", counts))}${typing}${still}
    <p id="refused" role="alert"></p>
    <p class="middling"><label>${say("participant")} <input type="text" id="participant"
    autocomplete="off" autocapitalize="off" spellcheck="false" aria-describedby="saved-as"></label></p>
    <p class="middling" id="saved-as" role="status"></p><p class="middling" id="earlier"></p>`;
  let keyboard = false, check = () => {};
  const key = () => { keyboard = true; check(); };
  return paged(page(escaped(experiment.title), body), {
    buttons: [say("start")],
    ready: (display) => {
      const typed = document.getElementById("participant");
      typed.value = visit.identity.name;
      check = () => {
        const name = savedName(typed.value), reason = shortfall(experiment, used, keyboard);
        common.participant = name ?? "";
        document.getElementById("saved-as").innerHTML =
          name === null ? say("name_letters") : name !== typed.value ? say("saved_as", { name }) : "";
        const larger = reason && reason !== say("need_keyboard") && document.fullscreenEnabled;
        document.getElementById("refused").innerHTML = reason + (larger
          ? ` <button type="button" id="full">${say("full_screen")}</button>` : "");
        const full = document.getElementById("full");
        if (full) full.onclick = () => document.documentElement.requestFullscreen().catch(() => {});
        typed.closest("p").hidden = Boolean(reason); // ask only on a suitable device
        display.querySelector(".go .main").disabled = Boolean(reason) || name === null;
      };
      typed.oninput = check;
      typed.onkeydown = (event) => event.stopPropagation(); // an on-screen keyboard does not count
      typed.addEventListener("keydown", ({ key }) =>
        key === "Enter" && display.querySelector(".go .main").click());
      addEventListener("resize", check);
      addEventListener("keydown", key);
      visit.offer(typed);
      offerEarlier(visit.leftover());
      check();
    },
    on_finish: () => {
      removeEventListener("resize", check);
      removeEventListener("keydown", key);
      common.participant ||= `anonymous-${common.session.slice(0, 8)}`;
      // If the browser refuses, the window keeps its size, which the rows record.
      document.documentElement.requestFullscreen?.().catch(() => {});
    },
  });
}

function offerEarlier(earlier) {
  for (const [key, text] of earlier) {
    const button = document.createElement("button");
    button.type = "button";
    button.innerHTML = say("download_earlier");
    button.onclick = () => downloadText(text, `${key}.csv`);
    document.getElementById("earlier").append(button);
  }
}
