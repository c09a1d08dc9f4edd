// Rows of data: kept in the browser at once, sent after each trial, offered as a file at the end.
"use strict";

// A cell of a CSV table, escaped so that no spreadsheet reads it as a formula.
const cell = (value) => {
  const text = String(value ?? "").replace(/[\u0000-\u001f]+/g, " ");
  const safe = /^[=+@-]/.test(text) && !/^[-+]?[\d.]+(e[-+]?\d+)?$/.test(text) ? `'${text}` : text;
  return /[",]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
};
const csv = (columns, rows) =>
  [columns, ...rows].map((row) => row.map(cell).join(",") + "\n").join("");
const newLines = (columns, rows, from) =>
  from ? csv(columns, rows).replace(/^.*\n/, "") : csv(columns, rows);

const KEEPALIVE = 60000; // bytes; browsers refuse larger requests that may outlive the page

async function post(address, data) {
  const body = JSON.stringify(data);
  const answer = await fetch(address, {
    method: "POST",
    keepalive: new Blob([body]).size < KEEPALIVE,
    headers: { "Content-Type": "application/json" },
    body,
  });
  if (!answer.ok)
    throw Object.assign(new Error(`the server answers ${answer.status}`), { status: answer.status });
  return answer;
}

// Choose how to save. A sender has `send(rows, from, visit)`, which returns the number of saved rows;
// `tell(facts, visit)` for consent, answers and outcome; `begin` if it hands out lists; and `whole` if it
// takes all rows at the end.
async function chooseSender({ columns, save }) {
  if (window.jatos) return jatosSender(columns);
  if (save?.kind === "pavlovia") return pavloviaSender(columns);
  if (save) return addressSender(columns, save.url);
  if (location.protocol.startsWith("http")) {
    const answer = await fetch("responses").catch(() => null);
    const server = answer && answer.ok ? await answer.json().catch(() => null) : null;
    if (server && server.stst) return serverSender();
  }
  return { name: "local", send: null };
}

// `stst experiment serve`.
function serverSender() {
  return {
    name: "server",
    begin: async (arrival) => (await post("visits", arrival)).json(),
    tell: (facts, { session, turn }) => post(`visits/${session}`, { turn, facts }),
    send: async (rows, from, { turn }) => (await (await post("responses", { rows, turn })).json()).rows,
  };
}

// A visit without its rows.
const facts = ({ rows, sent, news, ...visit }) => visit;

function jatosSender(columns) {
  return {
    name: "jatos",
    tell: (_, visit) => window.jatos.uploadResultFile?.(JSON.stringify(facts(visit)), `visit_${visit.session}.json`),
    send: (rows, from) =>
      window.jatos.appendResultData(newLines(columns, rows, from)).then(() => from + rows.length),
  };
}

// Any address that accepts JSON: docs/how_to/run_an_experiment_online.md describes the request.
function addressSender(columns, url) {
  const body = (visit, from, rows) => ({
    stst: 1, participant: visit.participant, session: visit.session, from, columns, rows,
    csv: rows.length ? newLines(columns, rows, from) : "", visit: facts(visit),
  });
  return {
    name: "address",
    tell: (_, visit) => post(url, body(visit, visit.sent, [])),
    send: (rows, from, visit) => post(url, body(visit, from, rows)).then(() => from + rows.length),
  };
}

// Pavlovia: open a session, send one table at the end, close the session.
async function pavloviaSender(columns) {
  const config = await (await fetch("config.json", { cache: "no-cache" })).json();
  const sessions = `${config.pavlovia.URL}/api/v2/experiments/${config.gitlab.projectId}/sessions`;
  const pilot = new URLSearchParams(location.search).get("__pilotToken");
  const form = (fields) => Object.entries(fields).reduce((data, [name, value]) => (data.append(name, value), data), new FormData());
  const ask = async (url, method, fields) => {
    const answer = await fetch(url, { method, body: form(fields) });
    if (!answer.ok) throw new Error(`Pavlovia answers ${answer.status}`);
    return answer.json().catch(() => ({}));
  };
  const { token, experiment } = await ask(sessions, "POST", pilot ? { pilotToken: pilot } : {});
  if (!token || experiment?.status2 !== "RUNNING" || pilot) return { name: "local", send: null };
  const results = (visit, ending, value) =>
    ask(`${sessions}/${token}/results`, "POST", { key: `${visit.participant}_${visit.session}${ending}`, value });
  return {
    name: "pavlovia",
    whole: true,
    tell: async ({ outcome }, visit) => {
      if (outcome) await results(visit, "_visit.json", JSON.stringify(facts(visit)));
    },
    send: async (rows, from, visit) => {
      await results(visit, ".csv", csv(columns, rows));
      return rows.length;
    },
    close: (completed) => ask(`${sessions}/${token}`, "DELETE", { isCompleted: completed }),
  };
}

class Saver {
  // The rows, and how many of them were sent, are in the state of the visit, which outlives the page.
  constructor(columns, visit) {
    Object.assign(this, { columns, visit, sender: visit.sender, fault: "", work: null });
  }

  get rows() {
    return this.visit.state.rows;
  }

  get sent() {
    return this.visit.state.sent;
  }

  add(row) {
    if (this.fault) row.errors = [row.errors, `not saved at first: ${this.fault}`].filter(Boolean).join(" | ");
    this.fault = "";
    this.rows.push(this.columns.map((name) => String(row[name] ?? "").slice(0, 2000)));
    this.visit.keep();
    if (!this.sender.whole) this.work ??= this.flush().finally(() => (this.work = null));
  }

  get saved() {
    return this.sender.send !== null && this.sent === this.rows.length && !this.visit.hasNews;
  }

  // Send the remaining rows, 20 at a time. After a failure the next row, or `finish`, tries again.
  async flush() {
    try {
      while (this.sender.send && !this.visit.moved && this.sent < this.rows.length) {
        const end = this.sender.whole ? undefined : this.sent + 20;
        const sent = await this.sender.send(this.rows.slice(this.sent, end), this.sent, this.visit.state);
        this.visit.keep({ sent });
      }
      await this.visit.tellNews();
    } catch (fault) {
      if (fault.status === 409) this.visit.moved = true;
      this.fault = fault.message || String(fault);
    }
  }

  // At the end: try for some seconds. Returns whether everything was saved.
  async finish() {
    for (let attempt = 0; attempt < 5 && this.sender.send && !this.saved; attempt++) {
      if (this.work) await this.work;
      await this.flush();
      if (this.visit.moved) break;
      if (!this.saved) await wait(1000);
    }
    if (this.saved) await this.sender.close?.(this.visit.state.outcome === "completed").catch(() => {});
    return this.saved;
  }

  download(name) {
    const place = this.columns.indexOf("errors");
    const note = this.sender.send ? `not saved: ${this.fault}` : "";
    const rows = this.rows.map((row, index) =>
      row && index >= this.sent && note ? row.with(place, [row[place], note].filter(Boolean).join(" | ")) : row
    );
    downloadText(csv(this.columns, rows.filter(Boolean)), name);
  }
}

function downloadText(text, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = name;
  link.click();
}
