// Films that play in step. A film is a row of PNG frames; each is drawn pixel by pixel.
// What is shown is always one frame index of all films, or nothing new until all have it.

const BUDGET = 300e6; // bytes of decoded frames that are kept
const PARALLEL = 4; // requests at a time
const AHEAD = 8; // frames that are decoded before they are due
const EXACT = { colorSpaceConversion: "none", premultiplyAlpha: "none" };
const OPAQUE = { alpha: false, willReadFrequently: true }; // drawn by the CPU, so exact

// Decoded frames of all films; those not used for longest are dropped.
class Store {
  constructor(budget) {
    Object.assign(this, { budget, bytes: 0, kept: new Map() });
  }
  get(key) {
    const bitmap = this.kept.get(key);
    if (bitmap && this.kept.delete(key)) this.kept.set(key, bitmap);
    return bitmap;
  }
  put(key, bitmap) {
    const size = (b) => 4 * b.width * b.height;
    this.kept.set(key, bitmap);
    this.bytes += size(bitmap);
    for (const [old, dropped] of this.kept) {
      if (this.bytes <= this.budget) break;
      this.bytes -= size(dropped);
      this.kept.delete(old);
      dropped.close();
    }
  }
}

// PNG frames under one address: fetched once, decoded when they are needed.
class Track {
  constructor(store, address, length, changed) {
    Object.assign(this, { store, address, length, changed, pngs: [], asked: new Map(), decoding: new Set() });
  }
  png(index) {
    if (!this.asked.has(index)) this.asked.set(index, this.load(index));
    return this.asked.get(index);
  }
  async load(index) {
    try {
      const answer = await fetch(this.address(index));
      if (!answer.ok) throw new Error(await answer.text());
      this.pngs[index] = await answer.blob();
    } catch (error) {
      this.asked.delete(index);
      this.changed(error);
      throw error;
    }
    this.changed();
  }
  // The decoded frame if it is there; otherwise it is being made, and `changed` is called.
  ready(index) {
    const key = this.address(index);
    const bitmap = this.store.get(key);
    if (!bitmap && this.pngs[index] && !this.decoding.has(index)) {
      this.decoding.add(index);
      createImageBitmap(this.pngs[index], EXACT).then((made) => {
        this.decoding.delete(index);
        this.store.put(key, made);
        this.changed();
      }, this.changed);
    }
    return bitmap;
  }
  async once(index, use) {
    const kept = this.store.get(this.address(index));
    if (kept) return use(kept);
    await this.png(index);
    const bitmap = await createImageBitmap(this.pngs[index], EXACT);
    use(bitmap);
    bitmap.close();
  }
}

// Replace the pixels of the other canvases by their absolute difference from the first one.
function subtract(contexts, gain) {
  const pixels = (context) => context.getImageData(0, 0, context.canvas.width, context.canvas.height);
  const first = pixels(contexts[0]);
  for (const context of contexts.slice(1)) {
    const image = pixels(context);
    const same = image.width === first.width && image.height === first.height;
    for (let i = 0; i < image.data.length; i++)
      if (i % 4 < 3) image.data[i] = same ? gain * Math.abs(image.data[i] - first.data[i]) : 128; // ends at 255
    context.putImageData(image, 0, 0);
  }
}

export default {
  template: `
<div class="viewer" role="group" aria-label="Viewer" tabindex="0" @keydown="key" :data-shown="shown" :data-complete="complete">
  <div class="viewer-bar">
    <button type="button" @click="toggle">{{ playing ? "Pause" : "Play" }}</button>
    <button type="button" @click="step(-1)">Frame back</button>
    <button type="button" @click="step(1)">Frame forward</button>
    <label>Speed <select v-model.number="speed"><option :value="1">1x</option><option :value="0.5">1/2</option><option :value="0.25">1/4</option></select></label>
    <label><input type="checkbox" v-model="loop"> Loop</label>
    <label>Size <select v-model.number="zoom"><option v-for="n in 4" :value="n">{{ n }}x</option></select></label>
    <label>Show <select v-model="view">
      <option value="films">frames</option>
      <option value="difference" :disabled="films.length < 2">difference from {{ films[0].title }}</option>
      <option value="flow" :disabled="count < 2">optical flow</option></select></label>
    <label v-if="view === 'difference'">Times <select v-model.number="gain"><option v-for="n in [1, 4, 16]" :value="n">{{ n }}</option></select></label>
  </div>
  <div class="viewer-bar">
    <label class="viewer-wide">Frame <input type="range" min="0" :max="count - 1" :value="wanted" @input="seek(+$event.target.value)" :aria-valuetext="place"></label>
    <output>{{ place }}</output>
  </div>
  <p v-for="text in notes" class="viewer-note">{{ text }}</p>
  <p class="viewer-note" aria-live="polite">{{ state }}</p>
  <div class="viewer-bar">
    <label>Slice <select v-model="axis"><option value="x">x-t, of a row</option><option value="y">y-t, of a column</option><option value="">none</option></select></label>
    <label v-if="axis" class="viewer-wide">{{ axis === "x" ? "Row (y, from the top)" : "Column (x, from the left)" }}
      <input type="range" min="0" :max="most" v-model.number="cut"></label>
    <output v-if="axis">{{ cut }}</output>
    <span v-if="axis" class="viewer-note">A click on a film chooses the {{ axis === "x" ? "row" : "column" }}. Time runs {{ axis === "x" ? "downwards" : "to the right" }}.</span>
  </div>
  <div class="viewer-films">
    <figure v-for="(film, k) in films" :key="film.key + film.title">
      <figcaption><b>{{ film.title }}</b> {{ film.width }}x{{ film.height }} px, {{ film.frames }} frames, {{ +film.rate.toFixed(3) }} frames/s</figcaption>
      <div class="viewer-picture">
        <canvas data-kind="film" :data-film="film.title" :data-frame="shown" role="img" :aria-label="film.title + ': ' + seen + ', frame ' + shown"
          :width="film.width" :height="film.height" :style="size(film.width, film.height)" @click="choose($event, film)"></canvas>
        <i v-if="axis" class="viewer-mark" :style="mark(axis === 'y', cut)"></i>
      </div>
      <div class="viewer-picture" v-show="axis">
        <canvas data-kind="slice" :data-film="film.title" :data-cut="drawn" role="img"
          :aria-label="film.title + ': ' + axis + '-t slice at ' + cut"
          :width="axis === 'x' ? film.width : count" :height="axis === 'x' ? count : film.height"
          :style="axis === 'x' ? size(film.width, count) : size(count, film.height)"></canvas>
        <i class="viewer-mark" :style="mark(axis === 'y', shown)"></i>
      </div>
    </figure>
  </div>
</div>`,
  props: { films: Array, budget: { type: Number, default: BUDGET } },
  data: () => ({
    wanted: 0, shown: -1, playing: false, speed: 1, loop: true, zoom: 1, view: "films", gain: 1,
    axis: "x", cut: 0, drawn: "", ratio: window.devicePixelRatio, fault: "", loaded: 0, fastest: 0, slicing: "",
  }),
  computed: {
    count() { return Math.min(...this.films.map((film) => film.frames)); },
    rate() { return this.films[0].rate; },
    most() { return Math.min(...this.films.map((film) => (this.axis === "y" ? film.width : film.height))) - 1; },
    place() { return `${this.wanted} of 0-${this.count - 1}, ${(this.wanted / this.rate).toFixed(3)} s`; },
    complete() { return this.loaded >= this.count * this.films.length; },
    seen() { return this.view === "difference" ? `difference from ${this.films[0].title}, times ${this.gain}` : this.view; },
    state() {
      if (this.fault) return `Frames cannot be shown: ${this.fault}`;
      if (this.view === "flow" && !this.fastest) return "Computing optical flow";
      if (this.slicing) return this.slicing;
      return this.complete ? "" : `Loading: ${this.loaded} of ${this.count * this.films.length} frames`;
    },
    notes() {
      const several = (of) => new Set(this.films.map(of)).size > 1;
      const texts = [];
      if (several((film) => film.frames)) texts.push(`The films differ in length. The first ${this.count} frames of each are shown: the length of the shortest.`);
      if (several((film) => film.rate)) texts.push(`The films differ in frame rate. All are shown frame by frame at ${+this.rate.toFixed(3)} frames/s.`);
      if (this.view === "difference") {
        texts.push(`Absolute difference of the 8-bit values from ${this.films[0].title}, times ${this.gain}. Black: no difference. Values above 255 are shown as 255.`);
        if (several((film) => `${film.width}x${film.height}`)) texts.push("A film of another size than the first has no difference; it is grey.");
      }
      if (this.view === "flow") texts.push(`Optical flow from the shown frame to the next one (dense inverse search). Red moves to the right, yellow-green up, cyan to the left, violet down; white does not move. Full colour: ${this.fastest.toPrecision(3)} px/frame or faster, in all films. The last frame has no next frame; it is grey.`);
      return texts;
    },
  },
  watch: {
    speed() { this.since = performance.now(); },
    gain() { this.show(true); this.slice(); },
    async view() { if (this.view === "flow") await this.begin_flow(); this.show(true); this.slice(); },
    axis() { this.cut = Math.floor(this.most / 2); this.$nextTick(() => this.slice()); },
    cut() { this.slice(); },
  },
  mounted() {
    this.resized = () => { this.ratio = window.devicePixelRatio; };
    window.addEventListener("resize", this.resized);
    this.cut = Math.floor(this.most / 2);
    this.begin();
  },
  beforeUnmount() {
    this.ended = true;
    this.playing = false;
    window.removeEventListener("resize", this.resized);
    this.store.budget = 0;
  },
  methods: {
    begin() {
      const most = Math.max(...this.films.map((film) => film.width * film.height));
      this.store = new Store(Math.max(this.budget, 4 * most * this.films.length * 2));
      const changed = (error) => this.changed(error);
      const prefix = window.path_prefix ?? "";
      this.tracks = this.films.map((film) => new Track(this.store, (i) => `${prefix}/media/${film.key}/${i}.png`, film.frames, changed));
      this.flows = this.films.map((film) => new Track(this.store, (i) => `${prefix}/media/${film.key}/flow/${i}.png?fastest=${this.fastest}`, film.frames - 1, changed));
      this.loaded = 0;
      this.ahead = Math.max(1, Math.min(AHEAD, Math.floor(this.store.budget / (8 * most * this.films.length))));
      for (let i = 0; i < PARALLEL; i++) this.load().catch(() => {}); // `changed` tells why
      this.slice();
    },
    async begin_flow() {
      const asked = this.films.map((film) => fetch(`${window.path_prefix ?? ""}/media/${film.key}/flow.json`).then((a) => a.json()));
      const speeds = await Promise.all(asked).catch((error) => { this.changed(error); return []; });
      this.fastest = Math.max(...speeds, 0.01);
    },
    // Fetch all frames, those that are due next first.
    async load() {
      const next = () => {
        for (let k = 0; k < this.count; k++) {
          const index = (this.wanted + k) % this.count;
          const track = this.tracks.find((each) => !each.asked.has(index));
          if (track) return track.png(index);
        }
      };
      for (let job; !this.ended && (job = next()); ) await job;
    },
    changed(error) {
      if (error) this.fault = `${error.message ?? error}`;
      if (error || this.ended) return;
      this.loaded = this.tracks.reduce((sum, t) => sum + Object.keys(t.pngs).filter((i) => i < this.count).length, 0);
      if (!this.playing) this.show();
    },
    // Draw frame `wanted` of all films at once, if all are decoded.
    show(again = false) {
      if (this.wanted === this.shown && !again && !this.pending) return true;
      if (this.view === "flow" && !this.fastest) return !(this.pending = true); // until the scale is known
      const tracks = this.view === "flow" ? this.flows : this.tracks;
      const last = this.view === "flow" && this.wanted === this.count - 1;
      const bitmaps = last ? [] : tracks.map((track) => { track.png(this.wanted).catch(() => {}); return track.ready(this.wanted); });
      this.pending = !bitmaps.every(Boolean);
      if (this.pending) return false;
      const contexts = this.contexts("film");
      contexts.forEach((context, k) => {
        context.fillStyle = "#808080";
        if (last) context.fillRect(0, 0, context.canvas.width, context.canvas.height);
        else context.drawImage(bitmaps[k], 0, 0);
      });
      if (this.view === "difference") subtract(contexts, this.gain);
      this.shown = this.wanted;
      for (let k = 1; k <= this.ahead; k++) {
        const next = (this.wanted + k) % this.count;
        for (const track of tracks) if (next < track.length) track.png(next).then(() => track.ready(next), () => {});
      }
      return true;
    },
    contexts(kind) {
      return [...this.$el.querySelectorAll(`canvas[data-kind=${kind}]`)].map((canvas) => canvas.getContext("2d", OPAQUE));
    },
    toggle() {
      this.playing = !this.playing;
      if (!this.playing) return void this.show();
      if (this.wanted === this.count - 1) this.wanted = 0;
      this.since = performance.now();
      const tick = (now) => {
        if (!this.playing) return;
        requestAnimationFrame(tick);
        const period = 1000 / (this.rate * this.speed);
        const due = Math.floor((now - this.since) / period);
        if (this.shown === this.wanted && due < 1) return;
        if (this.shown === this.wanted) {
          if (this.wanted + due >= this.count && !this.loop) [this.playing, this.wanted] = [false, this.count - 1];
          else this.wanted = (this.wanted + due) % this.count;
        }
        if (this.show()) this.since = Math.max(this.since + due * period, now - period);
        else this.since = now; // wait for the frame, then go on from there
      };
      requestAnimationFrame(tick);
    },
    seek(index) {
      this.playing = false;
      this.wanted = Math.min(Math.max(index, 0), this.count - 1);
      this.show();
    },
    step(by) { this.seek((this.wanted + by + this.count) % this.count); },
    key(event) {
      if (["INPUT", "SELECT"].includes(event.target.tagName)) return;
      const acts = { ArrowLeft: () => this.step(-1), ArrowRight: () => this.step(1), Home: () => this.seek(0), End: () => this.seek(this.count - 1) };
      if (event.target.tagName !== "BUTTON") acts[" "] = this.toggle;
      if (!acts[event.key] || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      acts[event.key]();
    },
    choose(event, film) {
      if (!this.axis) return;
      const box = event.target.getBoundingClientRect();
      const share = this.axis === "x" ? (event.clientY - box.top) / box.height : (event.clientX - box.left) / box.width;
      this.cut = Math.min(Math.max(Math.floor(share * (this.axis === "x" ? film.height : film.width)), 0), this.most);
    },
    // Draw one row (or column) of every frame below the film; a newer request ends this one.
    async slice() {
      const { axis, cut, tracks, view, gain } = this, job = (this.job = {});
      if (!axis) return;
      await this.$nextTick();
      const contexts = this.contexts("slice");
      try {
        for (let t = 0; t < this.count; t++) {
          for (const [k, context] of contexts.entries()) {
            await tracks[k].once(t, (bitmap) => {
              if (job !== this.job) return;
              if (axis === "x") context.drawImage(bitmap, 0, cut, bitmap.width, 1, 0, t, bitmap.width, 1);
              else context.drawImage(bitmap, cut, 0, 1, bitmap.height, t, 0, 1, bitmap.height);
            });
            if (job !== this.job || this.ended) return;
          }
          this.slicing = t % 16 === 15 ? `Drawing slices: ${t + 1} of ${this.count} frames` : this.slicing;
        }
        if (view === "difference") subtract(contexts, gain);
        this.drawn = `${axis}${cut} ${view} ${gain}`;
      } catch { /* a frame cannot be had: told by `changed` */ }
      this.slicing = "";
    },
    // CSS pixels so that one film pixel is `zoom` pixels of the screen.
    size(width, height) {
      const css = (length) => `${(length * this.zoom) / this.ratio}px`;
      return { width: css(width), height: css(height) };
    },
    mark(across, index) {
      const at = `${((index + 0.5) * this.zoom) / this.ratio + 8}px`;
      return across ? { left: at, top: "3px", transform: "translateX(-50%)" } : { top: at, left: "3px", transform: "translateY(-50%)" };
    },
  },
};
