// The screen: refresh rate, card calibration, viewing distance, and the size of films.
"use strict";

const tangent = (degrees) => Math.tan((degrees * Math.PI) / 180);
const hundredths = (value) => Math.round(value * 100) / 100;
const CARD = { long: 85.6, short: 53.98 }; // mm, ISO/IEC 7810 ID-1
const BLIND_SPOT = 13.5; // degrees from fixation (Li et al. 2020)

// Refresh rate in Hz, from the intervals between all frames of the page.
class ScreenRate {
  constructor() {
    this.gaps = [];
    let last = null;
    const note = (now) => {
      if (last !== null && now > last) this.gaps.push(now - last);
      last = now;
      requestAnimationFrame(note);
    };
    requestAnimationFrame(note);
  }

  // Mean of the intervals near the median: late frames do not count.
  get hz() {
    if (this.gaps.length < 10) return "";
    const middle = this.gaps.toSorted((a, b) => a - b)[this.gaps.length >> 1];
    const near = this.gaps.filter((gap) => gap > middle / 2 && gap < middle * 1.5);
    return hundredths((1000 * near.length) / near.reduce((sum, gap) => sum + gap, 0));
  }
}

// Size of a film on this screen: width and height (device px), device px per film px, degrees.
function sizeOf(file, { size }, { px_per_degree }) {
  const degree = px_per_degree / tangent(0.5) / 2; // px for a tangent of 1
  const width = size ? Math.round(2 * degree * tangent(size.degrees / 2)) : file.width;
  const degrees = px_per_degree ? (2 * Math.atan(width / 2 / degree) * 180) / Math.PI : "";
  return {
    width,
    height: Math.round((file.height * width) / file.width),
    scale: size ? Math.round((width / file.width) * 1e4) / 1e4 : 1,
    degrees: degrees && hundredths(degrees),
    rendering: size?.scaling === "smooth" ? "auto" : "pixelated",
  };
}

const fits = ({ width, height }) =>
  innerWidth * devicePixelRatio >= width && innerHeight * devicePixelRatio >= height;

// Measure px per mm with a card, twice from different starting widths, until both agree within 5 %.
function cardPages(experiment, common) {
  let widths = [], word = "", without = false;
  const most = () => Math.min(innerWidth - 32, 900);
  const side = () => (innerWidth < 600 ? "short" : "long");
  const card = paged(() => page(say("card_title"), `<p>${say(`card_${side()}`)}</p>
    <p id="again" role="status">${word && `<strong>${say(word)}</strong>`}</p><div class="card"></div>
    <div class="slider"><button type="button">−</button><input type="range" min="60" max="${most()}"
    step="0.5" aria-label="${say("card_slider")}"><button type="button">+</button></div>`), {
    buttons: [say("card_fits"), say("card_none")],
    ready: (display) => {
      const slider = display.querySelector("input"), main = display.querySelector(".go .main");
      const [less, more] = display.querySelectorAll(".slider button");
      const draw = () => (display.querySelector(".card").style.width = `${slider.value}px`);
      const moved = () => { main.disabled = false; draw(); };
      const step = (by) => () => { slider.value = Number(slider.value) + by; moved(); };
      const wide = widths.length ? widths[0] * CARD[side()] < 0.6 * most() : Math.random() < 0.5;
      slider.value = most() * ((wide ? 0.8 : 0.3) + 0.15 * Math.random()); // far from the first
      [less.onclick, more.onclick] = [step(-1), step(1)];
      slider.oninput = moved;
      main.disabled = true; // until the slider was moved
      draw();
      slider.focus();
    },
    pressed: (button, display) => {
      without = button === 1;
      if (!without) widths.push(Number(display.querySelector("input").value) / CARD[side()]);
      word = widths.length === 1 ? "card_again" : "";
      if (widths.length < 2) return;
      const [first, second] = widths;
      if (Math.abs(first - second) <= 0.05 * Math.min(first, second))
        common.px_per_mm = ((first + second) / 2) * devicePixelRatio;
      else [widths, word] = [[], "card_differs"];
    },
  });
  const needed = experiment.size || experiment.distance === "measured";
  return [
    {
      timeline: [card],
      loop_function: () => !without && !common.px_per_mm,
      on_timeline_finish: () => { if (without && needed) common.stopped = "card_needed"; },
    },
    {
      timeline: experiment.distance === "measured"
        ? [eyePage(experiment.distance_repeats, common)]
        : [paged(page(say("eye_title"), `<p>${say("sit", { distance: experiment.distance })}</p>`), {
            on_finish: () => setDistance([experiment.distance], common) })],
      conditional_function: () => Boolean(common.px_per_mm),
    },
  ];
}

function setDistance(cm, common) {
  const mean = cm.reduce((sum, value) => sum + value) / cm.length;
  const squares = cm.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  common.distance_cm = Math.round(mean * 10) / 10;
  if (cm.length > 1) common.distance_sd = hundredths(Math.sqrt(squares / (cm.length - 1)));
  common.px_per_degree = hundredths(common.px_per_mm * 20 * mean * tangent(0.5));
}

// Measure the viewing distance: the left eye fixates a cross, and a dot on the left disappears in the blind spot.
function eyePage(repeats, common) {
  const cm = [];
  let moving = null, missed = false;
  const show = (display) => {
    display.querySelector("#count").innerHTML =
      `${missed ? `<strong>${say("eye_missed")}</strong> ` : ""}${say("eye_count", { number: cm.length + 1, all: repeats })}`;
    display.querySelector(".go .main").innerHTML =
      `${say(moving ? "eye_gone" : "eye_begin")} <kbd>${say("space")}</kbd>`;
  };
  const move = (display) => {
    const dot = display.querySelector(".dot"), strip = display.querySelector(".strip");
    const mm = devicePixelRatio / common.px_per_mm; // of a CSS px
    const run = { travelled: 0, start: performance.now(), speed: 14 + 6 * Math.random() }; // mm per s
    const step = (now) => {
      if (moving !== run || !dot.isConnected) return;
      run.travelled = (run.speed * Math.max(0, now - run.start)) / 1000;
      dot.style.right = `${24 + run.travelled / mm}px`;
      if (24 + run.travelled / mm < strip.clientWidth - 12) return requestAnimationFrame(step);
      [moving, missed] = [null, true];
      show(display);
    };
    moving = run;
    missed = false;
    requestAnimationFrame(step);
  };
  return paged(page(say("eye_title"), `<p>${say("eye_text")}</p><p id="count" role="status"></p>
    <div class="strip"><span class="dot"></span><span class="fix">+</span></div>`), {
    buttons: [""],
    ready: show,
    pressed: (_, display) => {
      if (!moving) move(display);
      else {
        cm.push(moving.travelled / 10 / tangent(BLIND_SPOT));
        moving = null;
        display.querySelector(".dot").style.right = "24px";
      }
      show(display);
      return !moving && cm.length === repeats;
    },
    on_finish: () => setDistance(cm, common),
  });
}

// Films with a size in degrees must fit into the window; otherwise participants cannot continue.
function fitPage(experiment, used, common) {
  const large = () => used.some((file) => !fits(sizeOf(file, experiment, common)));
  return {
    timeline: [paged(page(say("screen_title"), `<p role="alert">${say("too_large")}</p>`), {
      pressed: () => !large(),
    })],
    conditional_function: () => Boolean(experiment.size) && !common.stopped && large(),
  };
}
