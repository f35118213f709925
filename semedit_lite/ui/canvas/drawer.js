// A drawing and who draws on it: the tool, the sizes and the step in the making. What is drawn, and
// with which `tools`, is told by those who derive from it; the drawing can begin, restore and commit a
// step, undo and redo it, and has `past` and `future`.

class Drawer {
  constructor(drawing, tool) {
    this.drawing = drawing;
    this.tool = tool;
    this.widths = {}; // of the tools that have one
    this.widest = 1;
    this.step = null; // in the making: {tool} and what the tool keeps there
    this.pressed = this.last = null; // points, while a gesture lasts
    this.changed = false; // something new is to be told; whoever tells it sets this back
  }

  get sized() { return tools[this.tool].sized ? this.tool : null; }
  get width() { return this.widths[this.step?.tool ?? this.tool]; }
  get selection() { return null; }
  nameAt() { return ""; }

  open(tool = this.tool) {
    this.drawing.begin();
    this.step = { tool };
  }

  press(point, keys = {}, tool = this.tool) {
    if (this.step && this.step.tool !== tool) this.settle();
    if (!this.step) this.open(tool);
    tools[tool].press(this, point, keys);
    this.pressed = this.last = point;
  }

  drag(point, keys = {}) {
    tools[this.step.tool].drag(this, this.last, point, keys);
    this.last = point;
  }

  lift() {
    const tool = tools[this.step.tool], open = tool.lift?.(this);
    this.pressed = null;
    return open ? tool.words(this) : this.finish();
  }

  finish() {
    const tool = tools[this.step.tool];
    tool.finish?.(this);
    this.step = this.pressed = null;
    const changed = this.drawing.commit();
    this.changed ||= changed;
    return changed || tool.harmless ? tool.words(this) : "Nothing changed";
  }

  // Takes back the gesture, or where none lasts the latest one of the step.
  back() {
    const { step } = this;
    this.pressed = null;
    return step && tools[step.tool].back?.(this) ? tools[step.tool].words(this) : this.giveUp();
  }

  giveUp() {
    if (!this.step) return "";
    this.changed ||= Boolean(this.selection?.moved);
    this.drawing.restore();
    this.step = this.pressed = null;
    return "Given up";
  }

  // Before something else begins.
  settle() {
    if (this.pressed) this.lift();
    if (this.step) tools[this.step.tool].unfinished ? this.giveUp() : this.finish();
  }

  use(tool) {
    this.settle();
    this.tool = tool;
    return tool;
  }

  resize(pixels) {
    if (!this.sized) return "";
    this.widths[this.tool] = Math.min(this.widest, Math.max(1, pixels));
    return `${this.tool[0].toUpperCase()}${this.tool.slice(1)} ${this.width} pixels`;
  }

  // Steps

  undo() {
    if (this.pressed) return "Nothing to undo";
    return this.step ? this.giveUp() : this.travel(this.drawing.undo(), "undo", "Undone");
  }
  redo() {
    return this.travel(!this.step && this.drawing.redo(), "redo", "Done again");
  }
  travel(done, word, words) {
    if (!done) return `Nothing to ${word}`;
    this.changed = true;
    const { past, future } = this.drawing;
    return `${words}; ${past.length} steps to undo, ${future.length} to redo`;
  }
}
