// Rows of data: kept in the browser at once, sent one by one, offered as a file at the end.
"use strict";

const PREFIX = "stst-rows-";

const cell = (value) => {
  const text = String(value ?? "").replace(/[\u0000-\u001f]+/g, " ");
  return /[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};
const csv = (columns, rows) =>
  [columns, ...rows].map((row) => row.map(cell).join(",") + "\n").join("");

// How to save: JATOS, `stst experiment serve`, or not at all (a download at the end).
async function chooseSender(columns) {
  if (window.jatos) {
    return {
      name: "jatos",
      send: (rows, from) =>
        window.jatos
          .appendResultData(from ? csv(columns, rows).replace(/^.*\n/, "") : csv(columns, rows))
          .then(() => from + rows.length),
    };
  }
  if (location.protocol.startsWith("http")) {
    const answer = await fetch("responses").catch(() => null);
    const server = answer && answer.ok ? await answer.json().catch(() => null) : null;
    if (server && server.stst) return { name: "server", next: server.next, send: post };
  }
  return { name: "local", send: null };
}

// Send rows to `stst experiment serve`; it answers how many rows of the session it has.
async function post(rows) {
  const answer = await fetch("responses", {
    method: "POST",
    keepalive: true,
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ rows }),
  });
  if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
  return (await answer.json()).rows;
}

class Saver {
  constructor(columns, sender, session) {
    Object.assign(this, { columns, sender, rows: [], sent: 0, fault: "", work: null });
    this.key = PREFIX + session;
  }

  add(row) {
    if (this.fault) row.errors = [row.errors, `not saved at first: ${this.fault}`].filter(Boolean).join(" | ");
    this.fault = "";
    this.rows.push(this.columns.map((name) => String(row[name] ?? "").slice(0, 2000)));
    this.keep();
    this.work ??= this.flush().finally(() => (this.work = null));
  }

  // Cells of the last rows in a column.
  last(name, count) {
    return this.rows.slice(-count).map((row) => row[this.columns.indexOf(name)]);
  }

  // A copy that outlives the tab, until all of it has been saved.
  keep() {
    try {
      if (this.saved) localStorage.removeItem(this.key);
      else localStorage.setItem(this.key, csv(this.columns, this.rows));
    } catch { /* no storage here: the rows stay in memory */ }
  }

  get saved() {
    return this.sender.send !== null && this.sent === this.rows.length;
  }

  // Send what waits, a few rows at a time; a failure waits for the next row, or for `finish`.
  async flush() {
    while (this.sender.send && this.sent < this.rows.length) {
      try {
        this.sent = await this.sender.send(this.rows.slice(this.sent, this.sent + 20), this.sent);
      } catch (fault) {
        this.fault = fault.message || String(fault);
        break;
      }
      this.keep();
    }
  }

  // At the end: try for some seconds; say whether everything was saved.
  async finish() {
    for (let attempt = 0; attempt < 5 && this.sender.send && !this.saved; attempt++) {
      if (this.work) await this.work;
      await this.flush();
      if (!this.saved) await wait(1000);
    }
    return this.saved;
  }

  download(name) {
    const place = this.columns.indexOf("errors");
    const note = this.sender.send ? `not saved: ${this.fault}` : "";
    const rows = this.rows.map((row, index) =>
      index < this.sent || !note ? row : row.with(place, [row[place], note].filter(Boolean).join(" | "))
    );
    downloadText(csv(this.columns, rows), name);
  }
}

function downloadText(text, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = name;
  link.click();
}

// Sessions that were broken off in this browser and not saved: [[key, text], ...].
function leftover() {
  try {
    return Object.entries(localStorage).filter(([key]) => key.startsWith(PREFIX));
  } catch {
    return [];
  }
}
