// What the tools do to the drawing. A gesture is press(point), drag(point), ..., lift(); most tools
// then end their step at once. The lasso and the selection keep it open over several gestures, until
// it is finished or given up. What was done is returned in words.
//   press(painting, point, keys)  keys: {shift, reach}, reach being how far off the pointer may be
//   drag(painting, from, to, keys)
//   lift(painting)                true: the step stays open
//   finish(painting)              what remains to be done at the end of the step
//   back(painting)                takes the latest gesture back; false: nothing is left of the step
//   words(painting)
//   drags, follows                whether a drag makes a difference, and whether all of its way does

const line = (ink, words) => ({
  sized: true,
  drags: true,
  follows: true,
  press: (p, at) => p.drawing.paint(stroke(at, at, p.width), ink(p)),
  drag: (p, from, to) => p.drawing.paint(stroke(from, to, p.width), ink(p)),
  words: (p) => `${words} ${p.named(ink(p))}`,
});

const shape = (mark) => ({
  drags: true,
  press: (p, at) => p.drawing.paint(mark(at, at), p.ink),
  drag(p, _, to, { shift }) {
    p.drawing.restore();
    p.drawing.paint(mark(p.pressed, shift ? square(p.pressed, to) : to), p.ink);
  },
  words: (p) => `Painted ${p.named(p.ink)}`,
});

// The point that makes a shape as wide as high, whichever way it is drawn.
function square(from, to) {
  const dx = Math.floor(to.x) - Math.floor(from.x), dy = Math.floor(to.y) - Math.floor(from.y);
  const side = Math.max(Math.abs(dx), Math.abs(dy));
  return { x: from.x + (dx < 0 ? -side : side), y: from.y + (dy < 0 ? -side : side) };
}

const tools = {
  brush: line((p) => p.ink, "Painted"),
  eraser: line((p) => p.eraseTo, "Erased to"),
  rectangle: shape(rectangle),
  ellipse: shape(ellipse),
  fill: {
    press: (p, at) => p.drawing.paint(region(at, p.drawing.pixels, p.drawing.size), p.ink),
    drag: () => {},
    words: (p) => `Filled with ${p.named(p.ink)}`,
  },
  pick: {
    press: (p, at) => p.pick(at),
    drag: (p, _, to) => p.pick(to),
    finish: (p) => { p.tool = p.previous; },
    words: (p) => `Picked ${p.named(p.ink)}`,
    harmless: true, // changes no pixel
  },

  hand: { press: () => {}, drag: () => {}, words: () => "", harmless: true }, // moves the view alone

  // Clicks are corners, a drag is drawn freehand. A lasso drawn in one drag closes when it ends, any
  // other at its first point.
  lasso: {
    drags: true,
    follows: true,
    press({ step }, at, { reach = 0 }) {
      step.points ??= [];
      step.pieces ??= []; // how many points there were before each gesture
      step.pieces.push(step.points.length);
      step.closing = step.points.length > 2 && distance(step.points[0], at) <= reach;
      step.freehand = false;
      if (!step.closing) step.points.push(at);
    },
    drag({ step, pressed }, _, to, { reach = 0 }) {
      if (step.closing || (!step.freehand && distance(pressed, to) <= reach / 2)) return;
      step.freehand = true;
      step.points.push(to);
    },
    lift: ({ step }) => !step.closing && !(step.freehand && step.pieces.length === 1),
    finish: ({ drawing, step, ink }) => drawing.paint(polygon(step.points, drawing.size), ink),
    back({ step }) {
      step.points.length = step.pieces.pop();
      step.closing = false;
      return step.points.length > 0;
    },
    words: (p) => (p.step ? `Lasso, corner ${p.step.pieces.length}` : `Painted ${p.named(p.ink)}`),
    unfinished: true, // is nothing yet when another tool is taken
  },

  // A click takes a region, a drag all within a rectangle; with Shift beside what is selected already.
  select: {
    drags: true,
    press(p, at, { reach = 0, shift }) {
      const { selection } = p.step, grip = selection?.grip(at, reach);
      if (grip && !(shift && grip === "inside")) {
        p.step.grip = { name: grip, box: selection.box };
        return;
      }
      const adds = shift && selection && !selection.moved;
      if (selection && !adds) {
        p.finish();
        p.open();
      }
      Object.assign(p.step, { grip: null, marquee: null, beside: selection && !shift });
    },
    drag(p, _, to, { reach = 0, shift }) {
      const { step, pressed } = p;
      if (step.grip) {
        const { name, box } = step.grip;
        const next = step.selection.dragged(box, name, to.x - pressed.x, to.y - pressed.y, shift);
        if (step.selection.moved || differ(next, box)) step.selection.place(next);
      } else if (step.marquee || distance(pressed, to) > reach / 2) {
        const box = overlap(rectangle(pressed, to).box, p.drawing.whole);
        step.marquee = { box, has: () => true };
      }
    },
    lift(p) {
      const { step, drawing } = p;
      if (step.grip) {
        if (differ(step.grip.box, step.selection.box)) p.changed = true;
      } else if (step.marquee || !step.beside) { // a click beside a selection only lays it down
        const mark = step.marquee ?? region(p.pressed, drawing.pixels, drawing.size);
        const selection = new Selection(drawing, step.selection ? together(step.selection.mark, mark) : mark);
        if (!isEmpty(selection.box)) step.selection = selection;
      }
      step.grip = step.marquee = null;
      return Boolean(step.selection);
    },
    back({ step }) {
      if (step.grip && differ(step.selection.box, step.grip.box)) step.selection.place(step.grip.box);
      step.grip = step.marquee = null;
      return Boolean(step.selection);
    },
    words: ({ step, named }) => (step ? `Selected ${step.selection.classes.map(named).join(", ")}` : "Laid down"),
  },
};

const differ = (a, b) => a.left !== b.left || a.top !== b.top || a.right !== b.right || a.bottom !== b.bottom;

// Who draws a layout: also has a class to paint with, and one to erase to.
class Painting extends Drawer {
  constructor(size, names, pairs) {
    super(new Drawing(size), "brush");
    this.names = names;
    this.pairs = pairs; // of classes that mirroring exchanges
    this.named = (id) => names[id];
    this.ink = Math.min(1, names.length - 1);
    this.eraseTo = 0;
    this.previous = this.tool; // comes back when a class is picked
    this.widest = Math.round(size / 4);
    this.widths = { brush: Math.max(1, Math.round(size / 16)), eraser: Math.max(1, Math.round(size / 16)) };
  }

  get selection() { return this.step?.selection ?? null; }

  at({ x, y }) {
    const { whole, pixels, size } = this.drawing;
    return holds(whole, { x, y }) ? pixels[Math.floor(y) * size + Math.floor(x)] : null;
  }

  nameAt(point) {
    const id = this.at(point);
    return id === null ? "" : this.named(id) ?? "no class";
  }

  pick(point) {
    const id = this.at(point);
    if (id !== null && id < this.names.length) this.ink = id;
  }

  use(tool) {
    const words = super.use(tool);
    if (tool !== "pick") this.previous = tool;
    return tool === "eraser" ? `Eraser, to ${this.named(this.eraseTo)}` : words;
  }

  // A class to paint with; tools that paint with none give way to the brush.
  choose(id) {
    this.ink = id;
    if (["eraser", "pick", "select", "hand"].includes(this.tool)) this.use("brush");
    return this.named(id);
  }

  // What keys and buttons do to a selection.

  transform(act, words) {
    if (!this.selection || this.pressed) return "Nothing is selected";
    act(this.selection);
    this.changed = true;
    return words;
  }
  nudge(dx, dy) {
    return this.transform((part) => part.place(part.kept(part.box, dx, dy)), "Moved");
  }
  grow(by) {
    return this.transform((part) => part.place(part.grown(by)), by > 0 ? "Larger" : "Smaller");
  }
  mirror(across) {
    const words = across ? "Mirrored left to right" : "Mirrored top to bottom";
    return this.transform((part) => part.mirror(across, this.pairs), words);
  }
  remove() {
    const words = this.transform((part) => part.remove(), "Removed");
    if (this.selection && !this.pressed) this.finish();
    return words;
  }

  clear() {
    this.settle();
    if (this.drawing.replace(new Uint8Array(this.drawing.pixels.length))) this.changed = true;
    return `Canvas cleared to ${this.named(0)}`;
  }

  // A layout from Python: a step that can be undone, or with `fresh` the start of another history.
  receive(pixels, fresh) {
    if (!fresh && pixels.every((id, k) => id === this.drawing.pixels[k])) return;
    this.giveUp();
    this.drawing.replace(pixels);
    if (fresh) this.drawing.forget();
    this.changed = false;
  }
}
