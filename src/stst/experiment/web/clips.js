// jsPsych plugin: shows films one after the other, then a question that is answered by key, button or text.
"use strict";

const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const tenths = (ms) => Math.round(ms * 10) / 10;
const painted = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));

const NOTHING = { key: "", input: "", response: "", time: "" };

class StstClips {
  static info = {
    name: "stst-clips",
    version: "1.0.0",
    parameters: {
      shown: { type: jsPsychModule.ParameterType.COMPLEX, array: true, default: [] },
      files: { type: jsPsychModule.ParameterType.OBJECT },
      load: { type: jsPsychModule.ParameterType.FUNCTION },
      answered: { type: jsPsychModule.ParameterType.FUNCTION },
      keys: { type: jsPsychModule.ParameterType.OBJECT, default: {} },
      prompt: { type: jsPsychModule.ParameterType.HTML_STRING },
      timing: { type: jsPsychModule.ParameterType.OBJECT },
      sized: { type: jsPsychModule.ParameterType.FUNCTION },
      rate: { type: jsPsychModule.ParameterType.FUNCTION },
      share: { type: jsPsychModule.ParameterType.FLOAT },
      expected: { type: jsPsychModule.ParameterType.STRING, default: null },
      feedback: { type: jsPsychModule.ParameterType.BOOL, default: false },
    },
    data: {},
  };

  constructor(jsPsych) {
    this.jsPsych = jsPsych;
  }

  trial(display, trial) {
    this.run(display, trial).then(() => this.jsPsych.finishTrial());
  }

  async run(display, trial) {
    const errors = [], films = [];
    const hidden = () => document.hidden && errors.push("the page was hidden");
    document.addEventListener("visibilitychange", hidden);
    display.innerHTML = '<div id="stage"></div>';
    const stage = display.firstChild;
    for (const clip of trial.shown) {
      if (films.length) await wait(trial.timing.gap);
      films.push(await this.present(stage, trial.files[clip.file], trial, errors));
    }
    const whole = films.every((film) => film.kind);
    const answer = whole ? await this.ask(stage, trial) : { ...NOTHING, onset: "" };
    document.removeEventListener("visibilitychange", hidden);
    trial.answered({ answer, films, errors }); // at once: the tab may be closed at any time
    if (whole && trial.feedback && trial.expected !== null && answer.response !== "") {
      const right = answer.response === trial.expected;
      stage.innerHTML = `<div class="middle question">${say(right ? "right" : "wrong")}</div>`;
      await wait(trial.timing.feedback);
    }
    stage.replaceChildren();
    await wait(trial.timing.after);
    display.innerHTML = "";
  }

  // Show one film: a cross, the first frame held still, then the whole film once.
  async present(stage, file, { load, timing, sized, rate }, errors) {
    const size = sized(file), { scale, degrees } = size;
    const film = { kind: "", onset: "", end: "", presented: "", dropped: "", late: "", scale, degrees };
    if (!fits(size)) errors.push("the film is larger than the window");
    stage.innerHTML = '<div class="middle cross">+</div>';
    await wait(timing.fixation);
    for (const kind of file.refused ? ["h264"] : ["vp9", "h264"]) {
      try {
        const video = await this.still(stage, size, await load(file[kind]));
        Object.assign(film, await this.play(video, { ...file, hz: rate() }, timing, errors), { kind });
        break;
      } catch (fault) {
        errors.push(`${file[kind].url}: ${fault.message}`);
      }
    }
    stage.replaceChildren();
    return film;
  }

  // Place the video in the middle, at whole pixels of the screen, and wait for its first frame.
  still(stage, size, url) {
    const ratio = window.devicePixelRatio, video = document.createElement("video");
    Object.assign(video, { muted: true, playsInline: true, preload: "auto" });
    video.disablePictureInPicture = true;
    const at = (room, side) => `${Math.round((room * ratio - side) / 2) / ratio}px`;
    Object.assign(video.style, {
      width: `${size.width / ratio}px`,
      height: `${size.height / ratio}px`,
      left: at(window.innerWidth, size.width),
      top: at(window.innerHeight, size.height),
      imageRendering: size.rendering,
    });
    return new Promise((done, fail) => {
      const late = setTimeout(() => fail(new Error("no frame within 10 s")), 10000);
      video.addEventListener("loadeddata", () => { clearTimeout(late); done(video); });
      video.addEventListener("error", () => {
        clearTimeout(late);
        fail(new Error(`cannot be decoded (${video.error ? video.error.message : "no reason"})`));
      });
      video.src = url;
      stage.replaceChildren(video);
    });
  }

  async play(video, file, timing, errors) {
    const seen = new Set(), delays = []; // ms from a frame's time in the film to its time on the screen
    let playing = false;
    const note = (now, frame) => {
      seen.add(Math.round(frame.mediaTime * file.rate));
      if (playing) delays.push(frame.expectedDisplayTime - frame.mediaTime * 1000);
      counting = video.requestVideoFrameCallback(note);
    };
    let counting = null;
    if (video.requestVideoFrameCallback) counting = video.requestVideoFrameCallback(note);
    else errors.push("frames were not counted: the browser cannot");
    await painted();
    await wait(timing.hold);
    const start = performance.now();
    playing = true;
    await new Promise((done, fail) => {
      const limit = (file.frames / file.rate) * 1000 * 3 + 5000;
      const late = setTimeout(() => { errors.push("playing stalled"); done(); }, limit);
      video.addEventListener("ended", () => { clearTimeout(late); done(); });
      video.addEventListener("error", () => { clearTimeout(late); fail(new Error("stopped")); });
      video.play().catch((fault) => { clearTimeout(late); fail(fault); });
    });
    const onset = Math.round(start), end = Math.round(performance.now());
    if (counting === null) return { onset, end };
    seen.add(0); // the held frame, which loadeddata reported
    const limit = Math.min(...delays) + 1500 / (file.hz || 60); // one refresh is tolerated
    const late = delays.filter((delay) => delay > limit).length;
    return { onset, end, presented: seen.size, dropped: Math.max(0, file.frames - seen.size), late };
  }

  // Call `done` with the first pressed key and its response.
  listen(keys, done) {
    const answers = Object.entries(keys);
    return this.jsPsych.pluginAPI.getKeyboardResponse({
      valid_responses: answers.map(([, key]) => key),
      persist: false,
      callback_function: ({ key }) => {
        const [response] = answers.find(([, k]) => k.toLowerCase() === key.toLowerCase());
        done({ key, response, input: "keyboard" });
      },
    });
  }

  // The gap before the question. With `early: taken` a key counts here; its response time is negative.
  early({ keys, timing }) {
    const question = performance.now() + timing.gap;
    return new Promise((done) => {
      const taken = timing.early === "taken" && Object.keys(keys).length > 0;
      const end = (answer) => {
        clearTimeout(clock);
        if (listener) this.jsPsych.pluginAPI.cancelKeyboardResponse(listener);
        done(answer);
      };
      const listener = taken && this.listen(keys, (answer) =>
        end({ ...answer, time: tenths(performance.now() - question), onset: tenths(question) }));
      const clock = setTimeout(() => end(null), timing.gap);
    });
  }

  async ask(stage, trial) {
    const early = trial.shown.length ? await this.early(trial) : null;
    if (early) return early;
    stage.innerHTML = `${bar(trial.share)}<div class="middle">${trial.prompt}</div>`;
    await painted();
    const start = performance.now();
    stage.dataset.asks = start; // answers count from now on
    const limit = trial.timing.answer === null ? null : trial.timing.answer * 1000;
    return new Promise((done) => {
      let listener = null, clock = null;
      const end = (answer, at = performance.now()) => {
        clearTimeout(clock);
        delete stage.dataset.asks;
        if (listener) this.jsPsych.pluginAPI.cancelKeyboardResponse(listener);
        const time = answer.response === "" ? "" : tenths(Math.max(0, at - start));
        done({ ...answer, time, onset: tenths(start) });
      };
      if (limit) clock = setTimeout(() => end(NOTHING), limit);
      const typed = stage.querySelector("input");
      if (typed) return this.type(stage, typed, end);
      listener = this.listen(trial.keys, (answer) => end(answer));
      this.touch(stage, trial.keys, end);
    });
  }

  // Typed text is sent with Enter or the button.
  type(stage, typed, end) {
    stage.classList.add("typing");
    typed.focus();
    const send = (key, input) => {
      const response = typed.value.trim();
      if (response) end({ key, response, input });
    };
    typed.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.isComposing) send("Enter", TOUCH ? "touch" : "keyboard");
    });
    stage.querySelector(".typed button").addEventListener("click", (event) =>
      send("Enter", event.pointerType || "keyboard"));
  }

  // Answer buttons. The response time is that of the finger or mouse button going down.
  touch(stage, keys, end) {
    let down = 0; // time of the last press, which the click completes
    stage.addEventListener("pointerdown", (event) => (down = event.timeStamp));
    for (const button of stage.querySelectorAll("[data-answer]"))
      button.addEventListener("click", ({ pointerType, timeStamp }) => {
        const response = button.dataset.answer, input = pointerType || "keyboard";
        end({ key: keys[response], response, input }, pointerType ? down : timeStamp);
      });
  }
}
