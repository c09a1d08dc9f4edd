// A visit: participant, list, consent, answers to questions, and outcome.
"use strict";

const VISIT = "stst-visit-";
// Texts of the last page if the experiment has none of its own.
const LAST_WORDS = {
  declined: "declined", "screened out": "screened_out", "attention failed": "attention_failed",
  repeated: "repeated", moved: "visit_moved", full: "full",
};

// An identifier from the address as a name: other characters are replaced by their code.
function safeName(id) {
  const plain = id.replace(/[^\w-]/gu, (letter) => `_${letter.codePointAt(0).toString(16)}`);
  if (plain.length <= 64) return plain;
  const hash = [...id].reduce((sum, letter) => Math.imul(sum ^ letter.codePointAt(0), 16777619), 2166136261);
  return `${plain.slice(0, 55)}-${(hash >>> 0).toString(16)}`;
}

// The participant's name, and the keys that recruiting platforms add to the address.
function identityOf({ names, all_keys }) {
  const asked = new Map(new URLSearchParams(location.search));
  for (const [key, value] of Object.entries(window.jatos?.urlQueryParameters ?? {})) asked.set(key, value);
  const ids = Object.fromEntries(all_keys.filter((key) => asked.get(key))
    .map((key) => [key, asked.get(key).replace(/[\u0000-\u001f\u007f]+/g, " ").slice(0, 200)]));
  const key = names.find((name) => asked.get(name));
  const worker = window.jatos?.workerId ? `jatos-${window.jatos.workerId}` : "";
  const given = key ? asked.get(key) : worker; // accents may be removed from a name, not from an identifier
  return { name: (key === "participant" && savedName(given)) || safeName(given), ids, list: asked.get("list") };
}

const screenSize = () => `${screen.width}x${screen.height} at ${devicePixelRatio}`;

// Visits to this experiment that are stored in this browser.
function keptVisits(fingerprint) {
  try {
    return Object.entries(localStorage)
      .filter(([key]) => key.startsWith(`${VISIT}${fingerprint}-`))
      .map(([, text]) => JSON.parse(text));
  } catch {
    return [];
  }
}

// Show a page, and return the value of the pressed button.
function choice(title, body, buttons) {
  for (const old of document.querySelectorAll(".jspsych-content-wrapper")) old.remove();
  const place = document.createElement("div");
  place.className = "jspsych-content-wrapper";
  place.innerHTML = `<div class="jspsych-content"><main class="page"><button type="button" class="larger"
    aria-label="${say("larger")}" title="${say("larger")}">A+</button>${page(title, body)}
    <p class="go">${buttons.map(([value, text], number) => `<button type="button" data-value="${value}"
    class="${number ? "other" : "main"}">${text}</button>`).join(" ")}</p></main></div>`;
  document.body.append(place);
  place.querySelector(".larger").onclick = largerText;
  place.querySelector("h1").focus({ preventScroll: true });
  scrollTo(0, 0);
  return new Promise((done) => {
    for (const button of place.querySelectorAll("[data-value]"))
      button.onclick = () => done(button.dataset.value);
  });
}

class Visit {
  constructor(experiment, sender) {
    const { recruitment, columns, fingerprint } = experiment;
    Object.assign(this, { experiment, sender, recruitment, columns, moved: false, stopped: "" });
    this.identity = identityOf(recruitment);
    this.kept = keptVisits(fingerprint);
    const { name } = this.identity;
    const mine = name && this.kept.find(({ participant }) => participant.toLowerCase() === name.toLowerCase());
    this.resumed = mine || null; // the visit to continue
    this.state = null;
  }

  // On the first page: offer to continue a visit that was interrupted in this browser.
  offer(field) {
    field.readOnly = Boolean(this.identity.name);
    if (this.identity.name) return;
    for (const visit of this.kept.filter(({ outcome }) => !outcome)) {
      const button = document.createElement("button");
      button.type = "button";
      button.innerHTML = say("resume", { participant: visit.participant, trials: visit.rows.length });
      button.onclick = () => {
        [this.resumed, field.value, field.readOnly] = [visit, visit.participant, true];
        field.dispatchEvent(new Event("input"));
        button.disabled = true;
      };
      document.getElementById("earlier").append(button);
    }
  }

  // Rows of interrupted visits that were not sent: [[name, table], ...].
  leftover() {
    const unsent = this.kept.filter(({ rows, sent }) => rows.filter(Boolean).length && sent < rows.length);
    return unsent.map((visit) => [`${visit.participant}_${visit.session}`, csv(this.columns, visit.rows.filter(Boolean))]);
  }

  // Begin or continue the visit, ask for consent and answers. Returns false if the visit ends here.
  async begin(participant, session) {
    const kept = this.resumed;
    const arrival = {
      participant, session: kept ? kept.session : session, browser: navigator.userAgent.slice(0, 2000),
      screen: screenSize(),
      sure: Boolean(this.resumed || this.identity.name), ids: this.identity.ids,
      list: /^\d{1,5}$/.test(this.identity.list ?? "") ? Number(this.identity.list) : null,
    };
    const answer = this.sender.begin ? await this.ask(arrival) : await this.alone(arrival);
    if (answer.state === "other") location.reload();
    if (answer.state !== "begun") {
      await this.leave(answer.state === "ended" ? answer.outcome : answer.state);
      return false;
    }
    this.restore(answer);
    return (await this.consents()) && (await this.answers());
  }

  // Ask the server for a visit, until it answers.
  async ask(arrival) {
    for (;;) {
      try {
        const answer = await this.sender.begin(arrival);
        if (answer.state !== "ask") return answer;
        if (!(await this.isSame(arrival, answer.open))) return { state: "other" };
        arrival.sure = true;
      } catch (fault) {
        if (fault.status === 503) return { state: "full" };
        await choice(escaped(this.experiment.title), `<p>${say("no_server")} (${escaped(fault.message)})</p>`,
          [["again", say("try_again")]]);
      }
    }
  }

  // Without a server: use the visits that are stored in this browser.
  async alone(arrival) {
    const { again } = this.recruitment;
    const name = arrival.participant.toLowerCase();
    const last = this.kept.find(({ participant }) => participant.toLowerCase() === name);
    if (last && again === "refuse") return { state: "repeated" };
    if (last && !arrival.sure && !(await this.isSame(arrival, !last.outcome))) return { state: "other" };
    if (last && !last.outcome && (this.resumed || again === "continue"))
      return { ...last, state: "begun", turn: last.turn + 1, rows: [] };
    if (last && again === "continue") return { state: "ended", outcome: last.outcome };
    const session = last ? randomName() : arrival.session, count = this.experiment.lists.length;
    const list = (arrival.list ?? Math.floor(Math.random() * count)) % count;
    return { state: "begun", participant: arrival.participant, session, list, turn: 1, consent: "", answers: {}, rows: [] };
  }

  async isSame({ participant }, open) {
    const words = say(open ? "visit_open" : "visit_ended", { participant });
    const buttons = [["other", say("other_participant")], ["same", say("same_participant")]];
    return (await choice(say("been_here"), `<p>${words}</p>`, buttons)) === "same";
  }

  shownOf(row) {
    const at = (name) => row[this.columns.indexOf(name)];
    return Object.fromEntries(["trial", "phase", "band", "contrast", "correct"].map((name) => [name, at(name)]));
  }

  // The state of a visit: the rows of this browser; null for rows that only the server has.
  restore(answer) {
    const { participant, session, list, turn, consent, answers, rows } = answer;
    const own = this.kept.find((visit) => visit.session === session) ?? { rows: [], sent: 0 };
    const saved = this.sender.begin ? rows.length : own.sent;
    const elsewhere = (place) => own.sent <= place && place < saved; // answered on another device
    const all = Array.from({ length: Math.max(saved, own.rows.length) }, (_, place) =>
      elsewhere(place) ? null : own.rows[place] ?? null);
    this.done = all.map((row, place) => (row ? this.shownOf(row) : rows[place]));
    this.state = { experiment: this.experiment.fingerprint, participant, session, list, turn, consent, answers,
      ids: this.identity.ids, browser: navigator.userAgent, screen: screenSize(), started: own.started ?? new Date().toISOString(),
      rows: all, sent: saved, news: own.news ?? {}, outcome: "" };
    this.state.consent ||= own.consent ?? "";
    this.state.answers = { ...own.answers, ...answers };
    this.keep();
  }

  // Store a copy that outlives the page. Only the page that continued last writes it.
  keep(changes = {}) {
    Object.assign(this.state, changes);
    const { experiment, participant, session, turn, outcome, sent, rows } = this.state;
    const key = `${VISIT}${experiment}-${participant.toLowerCase()}`;
    try {
      const other = JSON.parse(localStorage.getItem(key) ?? "null");
      if (other && other.session === session && other.turn > turn) this.moved = true;
      else if (outcome && sent === rows.length && !this.hasNews)
        localStorage.setItem(key, JSON.stringify({ participant, session, turn, outcome, rows: [], sent: 0 }));
      else localStorage.setItem(key, JSON.stringify(this.state));
    } catch { /* no storage: the rows stay in memory */ }
  }

  get hasNews() {
    return Object.keys(this.state.news).length > 0;
  }

  // Send consent, answers and outcome as soon as the server can be reached.
  async tell(facts) {
    const { outcome = "", ...others } = facts;
    this.keep({ ...others, outcome, news: { ...this.state.news, ...facts } });
    await this.tellNews().catch((fault) => (this.moved ||= fault.status === 409));
  }

  async tellNews() {
    const { news } = this.state;
    if (!this.hasNews || !this.sender.tell || this.moved) return;
    if (news.outcome && this.state.sent < this.state.rows.length) return; // send the rows first
    await this.sender.tell(news, this.state);
    this.keep({ news: {} });
  }

  async consents() {
    const { consent, version } = this.recruitment;
    if (!consent || this.state.consent === version) return true;
    const buttons = ["agree", "decline"].map((value) => [value, say(value)]);
    if ((await choice(say("consent"), paragraphs(consent), buttons)) === "decline") {
      await this.leave("declined");
      return false;
    }
    this.keep({ consent_time: new Date().toISOString() });
    await this.tell({ consent: version });
    return true;
  }

  // Ask the questions until the required ones are answered. An answer may screen out.
  async answers() {
    const asked = this.recruitment.questions.filter(({ name }) => !(name in this.state.answers));
    if (asked.length === 0) return true;
    const answers = {}, missing = new Set();
    let pressed = choice(say("questions"), asked.map(questionField).join(""), [["go", say("continue")]]);
    for (;;) {
      await pressed;
      missing.clear();
      for (const question of asked) {
        const field = document.getElementById(`ask-${question.name}`);
        const text = field.value.trim();
        answers[question.name] = text;
        const bad = (question.required && !text) || !field.checkValidity();
        field.parentElement.querySelector(".missing").innerHTML = bad ? say("missing") : "";
        if (bad) missing.add(field);
      }
      if (missing.size === 0) break;
      [...missing][0].focus();
      pressed = new Promise((done) => (document.querySelector("[data-value=go]").onclick = done));
    }
    await this.tell({ answers: { ...this.state.answers, ...answers } });
    if (asked.every((question) => isAccepted(question, answers[question.name]))) return true;
    await this.leave("screened out");
    return false;
  }

  // After each trial: too many failed attention checks end the visit.
  answered(row) {
    this.done.push({ trial: row.trial, phase: row.phase, band: row.band, contrast: row.contrast, correct: row.correct });
    const failed = this.done.filter(({ phase, correct }) => phase === "attention" && String(correct) !== "1").length;
    const { checks } = this.recruitment;
    if (checks !== null && failed > checks) this.failed = true;
    return this.failed || this.moved;
  }

  // The trial to continue with after practice; 0 before.
  get next() {
    const last = this.done.at(-1);
    return last && last.phase !== "practice" ? Number(last.trial) + 1 : 0;
  }

  // The outcome when the trials have ended.
  get outcome() {
    if (this.moved) return "moved";
    return this.failed ? "attention failed" : this.stopped ? "screened out" : "completed";
  }

  // End the visit before the first trial.
  async leave(outcome) {
    if (this.state) await this.tell({ outcome });
    for (let attempt = 0; this.state && this.hasNews && this.sender.tell && attempt < 5; attempt++) {
      await wait(1000);
      await this.tellNews().catch(() => {});
    }
    choice(escaped(this.experiment.title), this.farewell(outcome), []);
    this.go(outcome);
  }

  exitOf(outcome) {
    return this.recruitment[outcome.replaceAll(" ", "_")] ?? { text: "", code: "", redirect: "" };
  }

  // The text of the last page, the completion code, and a link to the next page.
  farewell(outcome, reason = "", end = "") {
    const { text, code } = this.exitOf(outcome);
    const words = reason || text || end || WORDS[LAST_WORDS[outcome]] || "";
    const debriefing = outcome === "completed" ? this.recruitment.debriefing : "";
    const address = this.address(outcome);
    return paragraphs(words) + paragraphs(debriefing) +
      (code ? `<p class="middling">${say("code")} <b id="code">${escaped(code)}</b></p>` : "") +
      (address ? `<p class="go"><a id="leave" href="${escaped(address).replaceAll('"', "&quot;")}">${say("leave")}</a></p>` : "");
  }

  address(outcome) {
    const { code, redirect } = this.exitOf(outcome);
    const { participant, session } = this.state ?? this.identity;
    const values = { ...this.identity.ids, code, participant, session };
    return redirect.replace(/{([\w.-]+)}/g, (_, name) => encodeURIComponent(values[name] ?? ""));
  }

  // Notify a surrounding page, and redirect if there is no debriefing to read.
  go(outcome) {
    const { code } = this.exitOf(outcome), { participant, session } = this.state ?? this.identity;
    if (window.parent !== window) window.parent.postMessage({ stst: outcome, code, participant, session }, "*");
    const address = this.address(outcome);
    if (window.jatos && outcome !== "moved") {
      if (address) window.jatos.endStudyAndRedirect(address);
      else window.jatos.endStudy();
    } else if (address && !(outcome === "completed" && this.recruitment.debriefing))
      setTimeout(() => location.assign(address), 3000);
  }
}

function questionField({ name, text, kind, choices, required }) {
  const id = `id="ask-${name}" ${required ? "required" : ""}`;
  const options = ["", ...choices].map((option) => `<option value="${escaped(option).replaceAll('"', "&quot;")}">${escaped(option) || say("choose")}</option>`);
  const field = kind === "choice" ? `<select ${id}>${options.join("")}</select>`
    : kind === "number" ? `<input type="number" step="any" inputmode="decimal" ${id}>`
    : `<input type="text" maxlength="500" ${id}>`;
  return `<p><label for="ask-${name}">${escaped(text)}</label><br>${field} <span class="missing" role="alert"></span></p>`;
}

function isAccepted({ kind, accept }, answer) {
  if (accept.length === 0 || answer === "") return true;
  return kind === "number" ? accept[0] <= Number(answer) && Number(answer) <= accept[1] : accept.includes(answer);
}
