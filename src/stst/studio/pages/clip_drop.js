// A place to drop or choose a file; sends it as it is, with its progress.
export default {
  props: { label: String, accept: String },
  template: `
    <div class="stst-drop" :class="{ over }" @dragover.prevent="over = true"
         @dragleave="over = false" @drop.prevent="drop">
      <label>
        <span>{{ label }}</span>
        <input type="file" :accept="accept" :disabled="busy" @change="choose" ref="input">
      </label>
      <div v-if="busy" class="stst-sending">
        <progress :value="share" max="1" aria-label="Upload"></progress>
        <span>{{ state }}</span>
        <button type="button" @click="stop">Cancel</button>
      </div>
      <div v-if="fault" class="stst-fault" role="alert">{{ fault }}</div>
    </div>`,
  data: () => ({ over: false, busy: false, share: 0, state: "", fault: "" }),
  methods: {
    choose() {
      const file = this.$refs.input.files[0];
      if (file) this.send(file);
    },
    drop(event) {
      this.over = false;
      const files = event.dataTransfer.files;
      if (this.busy || !files.length) return;
      if (files.length > 1) this.fault = "Drop one file at a time.";
      else this.send(files[0]);
    },
    async send(file) {
      this.fault = "";
      this.busy = true;
      this.share = 0;
      this.state = "Asking for room";
      try {
        const room = await fetch(`/uploads/room?size=${file.size}`);
        const refusal = (await room.json()).error;
        if (refusal) return this.end(`${file.name}: ${refusal}`);
      } catch {
        return this.end("The studio does not answer. Is it still running?");
      }
      const sending = (this.sending = new XMLHttpRequest());
      sending.open("PUT", `/uploads?name=${encodeURIComponent(file.name)}`);
      sending.upload.onprogress = ({ loaded, total }) => {
        this.share = total ? loaded / total : 0;
        const done = loaded >= total;
        this.state = done ? "Sent; checking the frames" : `${Math.floor(100 * this.share)} % sent`;
      };
      sending.onload = () => this.answered(file, sending);
      sending.onerror = () =>
        this.end(`${file.name} could not be sent. It may have been moved, or the studio ended.`);
      sending.onabort = () => this.end("");
      sending.send(file);
    },
    answered(file, sending) {
      let answer = {};
      try {
        answer = JSON.parse(sending.responseText);
      } catch {
        answer = { error: sending.responseText || "it was refused." };
      }
      this.end(answer.error ? `${file.name}: ${answer.error}` : "");
      if (answer.name) this.$emit("uploaded", answer.name);
    },
    stop() {
      this.sending?.abort();
    },
    end(fault) {
      this.busy = false;
      this.fault = fault;
      if (this.$refs.input) this.$refs.input.value = "";
    },
  },
};
