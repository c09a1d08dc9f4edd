// A native slider: keyboard and screen readers know it. It keeps its own value while it is moved.
export default {
  props: { min: Number, max: Number, order: Object, label: String, says: String },
  template: `<input type="range" :min="min" :max="max" step="1" :value="now" :aria-label="label"
                    :aria-valuetext="says" @input="move">`,
  data() {
    return { now: this.order.value };
  },
  watch: {
    order(order) {
      this.now = order.value;
    },
  },
  methods: {
    move(event) {
      this.now = Number(event.target.value);
      this.$emit("moved", this.now);
    },
  },
};
