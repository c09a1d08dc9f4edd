// Loads films as blobs into jsPsych.pluginAPI.video_buffers, and compares their digests.
"use strict";

const embedded = (id) => JSON.parse(document.getElementById(id)?.textContent || "null");

const LOSSLESS = 'video/webm; codecs="vp09.01.10.08.00"'; // profile 1: RGB is 4:4:4

class Films {
  // `inside`: base64 data by address, in an experiment of one file; else null.
  constructor(files, buffers, inside) {
    Object.assign(this, { files, buffers, inside });
    this.lossless = document.createElement("video").canPlayType(LOSSLESS) !== "";
    for (const file of Object.values(files)) file.refused = !this.lossless;
  }

  async loadAll(names, progress) {
    for (const [done, name] of names.entries()) {
      progress(done, names.length);
      const file = this.files[name];
      // A film that fails is loaded again in its trial, which reports the error.
      await this.load(this.lossless ? file.vp9 : file.h264).catch(() => {});
    }
  }

  // Load one film; returns the address of its blob.
  async load({ url, sha256, type }) {
    if (this.buffers[url]) return this.buffers[url];
    const bytes = this.inside ? this.decoded(url) : await this.fetched(url);
    if (window.crypto && crypto.subtle) {
      const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
      const hex = Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
      if (hex !== sha256) throw new Error("is not the file of the experiment (SHA-256)");
    }
    this.buffers[url] = URL.createObjectURL(new Blob([bytes], { type }));
    return this.buffers[url];
  }

  decoded(url) {
    return Uint8Array.from(atob(this.inside[url]), (letter) => letter.charCodeAt(0));
  }

  async fetched(url) {
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(`could not be loaded (the server answers ${answer.status})`);
    return new Uint8Array(await answer.arrayBuffer());
  }
}
