// A part of the drawing that was taken out of it: it can be moved, scaled and mirrored, and shows in
// the drawing where it stands. It belongs to the step in the making.

const CORNERS = { nw: ["left", "top"], ne: ["right", "top"], sw: ["left", "bottom"], se: ["right", "bottom"] };
const OPPOSITE = { left: "right", right: "left", top: "bottom", bottom: "top" };

class Selection {
  // Takes the pixels of a mark that lie in the drawing; `box` is empty where there are none.
  constructor(drawing, mark) {
    this.drawing = drawing;
    this.mark = mark;
    const { left, top, right, bottom } = this.origin = this.box = overlap(mark.box, drawing.whole);
    this.width = Math.max(0, right - left);
    this.height = Math.max(0, bottom - top);
    this.ids = new Uint8Array(this.width * this.height);
    this.held = new Uint8Array(this.width * this.height); // 1 where the pixel is in it
    for (let y = top; y < bottom; y++) {
      for (let x = left; x < right; x++) {
        const k = (y - top) * this.width + x - left;
        this.ids[k] = drawing.pixels[y * drawing.size + x];
        this.held[k] = mark.has(x, y) ? 1 : 0;
      }
    }
    this.without = null; // the drawing's pixels, healed where this was; made when it first leaves its place
  }

  get moved() { return this.without !== null; }
  get classes() { return [...new Set(this.ids.filter((_, k) => this.held[k]))].sort((a, b) => a - b); }

  // What of it lies under a point: a corner, "inside" or null. In a small one, corners reach no
  // further in than a third, so that there is always something to move it by.
  grip(point, reach) {
    const { box } = this, third = { x: (box.right - box.left) / 3, y: (box.bottom - box.top) / 3 };
    const inside = holds(box, point);
    for (const [name, [side, end]] of Object.entries(CORNERS)) {
      const corner = { x: box[side], y: box[end] };
      if (distance(corner, point) > reach) continue;
      if (!inside || (Math.abs(corner.x - point.x) <= third.x && Math.abs(corner.y - point.y) <= third.y)) return name;
    }
    return inside ? "inside" : null;
  }

  // The box that results when `grip` of `box` is dragged by (dx, dy).
  dragged(box, grip, dx, dy, even) {
    if (grip === "inside") return this.kept(box, Math.round(dx), Math.round(dy));
    const [side, end] = CORNERS[grip], { size } = this.drawing;
    const within = (value) => Math.min(2 * size, Math.max(-size, value));
    const x = within(box[side] + Math.round(dx)), y = within(box[end] + Math.round(dy));
    let width = Math.max(1, side === "right" ? x - box.left : box.right - x);
    let height = Math.max(1, end === "bottom" ? y - box.top : box.bottom - y);
    if (even) {
      const w = box.right - box.left, h = box.bottom - box.top;
      if (width * h >= height * w) height = Math.max(1, Math.round((width * h) / w));
      else width = Math.max(1, Math.round((height * w) / h));
    }
    const result = { ...box };
    result[side] = box[OPPOSITE[side]] + (side === "right" ? width : -width);
    result[end] = box[OPPOSITE[end]] + (end === "bottom" ? height : -height);
    return result;
  }

  // The box moved, but never so far that nothing of it is left in the drawing.
  kept({ left, top, right, bottom }, dx, dy) {
    const { size } = this.drawing, within = (value, low, high) => Math.min(high, Math.max(low, value));
    const x = within(left + dx, left - right + 1, size - 1), y = within(top + dy, top - bottom + 1, size - 1);
    return { left: x, top: y, right: x + right - left, bottom: y + bottom - top };
  }

  // Two pixels more, or with -1 less, on the longer side; the other follows in proportion.
  grown(by) {
    const { left, top, right, bottom } = this.box, w = right - left, h = bottom - top;
    const longer = Math.max(w, h), target = Math.max(1, longer + 2 * by);
    const [width, height] = [w, h].map((side) => Math.max(1, Math.round((target * side) / longer)));
    const x = left + Math.floor((w - width) / 2), y = top + Math.floor((h - height) / 2);
    return { left: x, top: y, right: x + width, bottom: y + height };
  }

  // Shows the drawing without it.
  remove() {
    const { drawing } = this;
    this.without ??= healed(drawing.pixels, this.mark, drawing.size);
    drawing.copy(this.without, this.origin);
    drawing.copy(this.without, this.box);
  }

  place(box) {
    this.remove();
    this.box = box;
    const { drawing, width, height } = this, { left, top, right, bottom } = drawing.touch(box);
    const w = box.right - box.left, h = box.bottom - box.top;
    for (let y = top; y < bottom; y++) {
      const row = Math.floor(((2 * (y - box.top) + 1) * height) / (2 * h)) * width;
      for (let x = left; x < right; x++) {
        const k = row + Math.floor(((2 * (x - box.left) + 1) * width) / (2 * w));
        if (this.held[k]) drawing.pixels[y * drawing.size + x] = this.ids[k];
      }
    }
  }

  // Left to right, or top to bottom. The classes of a left/right pair change places if both are in it.
  mirror(across, pairs) {
    const { width, height, ids, held, classes } = this, swap = Uint8Array.from({ length: 256 }, (_, id) => id);
    if (across) {
      for (const [a, b] of pairs) {
        if (classes.includes(a) && classes.includes(b)) [swap[a], swap[b]] = [b, a];
      }
    }
    const from = (k) => {
      const x = k % width, y = (k - x) / width;
      return across ? y * width + width - 1 - x : (height - 1 - y) * width + x;
    };
    this.ids = ids.map((_, k) => swap[ids[from(k)]]);
    this.held = held.map((_, k) => held[from(k)]);
    this.place(this.box);
  }
}

// Pixels without those of a mark, which are filled from around it, ring by ring: each takes the class
// that most of its eight neighbours have; of equals that with the higher id, since 0 is background.
function healed(pixels, { box, has }, size) {
  const KNOWN = 0, OPEN = 1, NEXT = 2, OUTSIDE = 3;
  const wide = size + 2; // a frame of pixels outside, so that all have eight neighbours
  const beside = [-wide - 1, -wide, -wide + 1, -1, 1, wide - 1, wide, wide + 1];
  const ids = new Uint8Array(wide * wide), state = new Uint8Array(wide * wide).fill(OUTSIDE);
  for (let y = 0; y < size; y++) {
    const row = (y + 1) * wide + 1;
    ids.set(pixels.subarray(y * size, (y + 1) * size), row);
    state.fill(KNOWN, row, row + size);
  }
  const { left, top, right, bottom } = overlap(box, { left: 0, top: 0, right: size, bottom: size });
  const hole = [];
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) if (has(x, y)) hole.push((y + 1) * wide + x + 1);
  }
  for (const k of hole) {
    state[k] = OPEN;
    ids[k] = 0; // stays so where nothing is around
  }
  const counts = new Int32Array(256);
  const commonest = (k) => {
    let most = 0;
    for (const d of beside) if (state[k + d] === KNOWN) counts[ids[k + d]]++;
    for (const d of beside) {
      const id = ids[k + d];
      if (state[k + d] === KNOWN && (counts[id] > counts[most] || (counts[id] === counts[most] && id > most))) most = id;
    }
    for (const d of beside) counts[ids[k + d]] = 0;
    return most;
  };
  let ring = hole.filter((k) => beside.some((d) => state[k + d] === KNOWN));
  while (ring.length) {
    const found = ring.map(commonest), next = [];
    ring.forEach((k, i) => { ids[k] = found[i]; state[k] = KNOWN; });
    for (const k of ring) {
      for (const d of beside) {
        if (state[k + d] !== OPEN) continue;
        state[k + d] = NEXT;
        next.push(k + d);
      }
    }
    ring = next;
  }
  const result = new Uint8Array(size * size);
  for (let y = 0; y < size; y++) result.set(ids.subarray((y + 1) * wide + 1, (y + 1) * wide + 1 + size), y * size);
  return result;
}
