// A sketch: strokes, and the tools that make them.
//   stroke  {kind, width, points, colour}; kind is "line", "colour", "add" or "remove" (to and from the
//           region), width and points are in pixels of the picture, a point is [x, y, milliseconds],
//           colour is "#rrggbb" and there where kind is "colour"
// A stroke is never changed once it is drawn, so that a step is no more than a list of them.

const HISTORY = 200; // steps of undo
const DETAIL = 0.4; // pixels that a pointer has to move to make another point
const SPAN = 1.5; // pixels from point to point, where the eraser cuts

class Sketch {
  constructor() {
    this.strokes = [];
    this.past = []; // lists of strokes
    this.future = [];
    this.before = null; // the strokes before the step in the making
  }

  begin() { this.before = this.strokes; }
  restore() { if (this.before) this.strokes = this.before; }

  // Ends a step; returns whether anything is different now.
  commit() {
    const { before, strokes } = this;
    this.before = null;
    if (before === null || before === strokes || (!before.length && !strokes.length)) return false;
    this.past.push(before);
    if (this.past.length > HISTORY) this.past.shift();
    this.future = [];
    return true;
  }

  exchange(from, to) {
    if (!from.length) return false;
    to.push(this.strokes);
    this.strokes = from.pop();
    return true;
  }
  undo() { return this.exchange(this.past, this.future); }
  redo() { return this.exchange(this.future, this.past); }

  replace(strokes) {
    this.begin();
    this.strokes = strokes;
    return this.commit();
  }
  forget() { this.past = []; this.future = []; }
}

const now = () => Math.round(performance.now());
const drawn = (p) => p.drawing.before;
const INKS = new Set(["line", "colour"]); // kinds that are drawn, where others mark the region

const pen = (kind, words) => ({
  sized: true,
  drags: true,
  follows: true,
  press(p, at) {
    const stroke = { kind, width: p.width, points: [[at.x, at.y, now()]] };
    if (kind === "colour") stroke.colour = p.colour;
    p.step.stroke = stroke;
    p.drawing.strokes = [...drawn(p), stroke];
  },
  drag(p, _, to) {
    const { points } = p.step.stroke, [x, y] = points[points.length - 1];
    if (Math.hypot(to.x - x, to.y - y) >= DETAIL) points.push([to.x, to.y, now()]);
  },
  words: () => words,
});

// What of a stroke lies farther than `reach` from the line between two points: pieces.
function cut(stroke, from, to, reach) {
  const dx = to.x - from.x, dy = to.y - from.y, length = dx * dx + dy * dy || 1;
  const gone = ([x, y]) => {
    const along = Math.min(1, Math.max(0, ((x - from.x) * dx + (y - from.y) * dy) / length));
    return Math.hypot(x - from.x - along * dx, y - from.y - along * dy) <= reach;
  };
  if (!stroke.points.some(gone) && !finer(stroke.points).some(gone)) return [stroke];
  const pieces = [];
  let piece = [];
  for (const point of finer(stroke.points)) {
    if (!gone(point)) piece.push(point);
    else if (piece.length) pieces.push(piece), (piece = []);
  }
  if (piece.length) pieces.push(piece);
  return pieces.filter((points) => points.length > 1).map((points) => ({ ...stroke, points }));
}

function finer(points) {
  return points.flatMap(([x, y, t], k) => {
    if (!k) return [[x, y, t]];
    const [u, v, s] = points[k - 1], count = Math.max(1, Math.ceil(Math.hypot(x - u, y - v) / SPAN));
    return Array.from({ length: count }, (_, i) => {
      const share = (i + 1) / count;
      return [u + share * (x - u), v + share * (y - v), Math.round(s + share * (t - s))];
    });
  });
}

// The picture's own lines as they are when what lies at one point is pulled to another: nothing is
// moved that is farther than the reach, and what is near the point nearly all the way.
function pulled(lines, from, to, reach, width) {
  const dx = to.x - from.x, dy = to.y - from.y;
  const wide = Math.max(reach, 2.2 * Math.hypot(dx, dy)); // else the lines would fold
  const strokes = [];
  for (const line of lines) {
    let points = [];
    const end = () => { if (points.length > 2) strokes.push({ kind: "line", width, points }); points = []; };
    line.forEach(([x, y]) => {
      const far = ((x - from.x) ** 2 + (y - from.y) ** 2) / wide ** 2;
      const share = far < 1 ? (1 - far) ** 2 : 0;
      if (share * Math.hypot(dx, dy) < 1) return end();
      points.push([x + share * dx, y + share * dy, now()]);
    });
    end();
  }
  return strokes;
}

const tools = {
  pen: pen("line", "Line drawn"),
  colour: pen("colour", "Colour drawn"),
  add: pen("add", "Added to the region"),
  remove: pen("remove", "Taken from the region"),
  eraser: {
    sized: true,
    drags: true,
    follows: true,
    press(p, at) { this.drag(p, at, at); },
    drag(p, from, to) {
      const { strokes } = p.drawing;
      const left = strokes.flatMap((stroke) =>
        INKS.has(stroke.kind) ? cut(stroke, from, to, (p.width + stroke.width) / 2) : [stroke]);
      if (left.length !== strokes.length || left.some((stroke, k) => stroke !== strokes[k])) p.drawing.strokes = left;
    },
    words: () => "Erased",
  },
  pull: {
    sized: true,
    drags: true,
    press(p, at) { p.step.from = at; },
    drag(p, _, to) {
      p.drawing.strokes = [...drawn(p), ...pulled(p.lines, p.step.from, to, p.width, p.widths.pen)];
    },
    words: () => "Line pulled",
  },
  hand: { press: () => {}, drag: () => {}, words: () => "", harmless: true }, // moves the view alone
};

// Who draws a sketch: also has a colour, and the picture's own lines to pull at.
class Sketching extends Drawer {
  constructor(size) {
    super(new Sketch(), "pen");
    const of = (share) => Math.max(1, Math.round(size * share));
    this.widths = { pen: of(1 / 128), colour: of(1 / 40), eraser: of(1 / 20), add: of(1 / 12), remove: of(1 / 12), pull: of(1 / 7) };
    this.widest = of(1 / 4);
    this.colour = "#b5484f";
    this.lines = []; // of the picture: lists of [x, y]
  }

  clear() {
    this.settle();
    if (this.drawing.replace([])) this.changed = true;
    return "Sketch cleared";
  }

  // Strokes from Python: a step that can be undone, or with `fresh` the start of another history.
  receive(strokes, fresh) {
    if (!fresh && JSON.stringify(strokes) === JSON.stringify(this.drawing.strokes)) return;
    this.giveUp();
    this.drawing.replace(strokes);
    if (fresh) this.drawing.forget();
    this.changed = false;
  }
}
