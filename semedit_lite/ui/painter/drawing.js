// The drawing: a class id a pixel, and the steps that can be taken back. Colours exist only on the
// screen, so nothing is ever blended or snapped.

const HISTORY = 100; // steps of undo

class Drawing {
  constructor(size) {
    this.size = size;
    this.whole = { left: 0, top: 0, right: size, bottom: size };
    this.pixels = new Uint8Array(size * size);
    this.past = []; // steps {box, pixels}: what stood in the box, row by row
    this.future = [];
    this.before = null; // all pixels as they were before the step in the making
    this.touched = null; // the box that this step may have changed
    this.unseen = this.whole; // the box that may have changed since it was last on the screen
  }

  // Everything that changes pixels says where first; returns what of the box lies in the drawing.
  touch(box) {
    const inside = overlap(box, this.whole);
    this.touched = around(this.touched, inside);
    this.unseen = around(this.unseen, inside);
    return inside;
  }

  paint({ box, has }, id) {
    const { left, top, right, bottom } = this.touch(box);
    for (let y = top; y < bottom; y++) {
      for (let x = left; x < right; x++) if (has(x, y)) this.pixels[y * this.size + x] = id;
    }
  }

  // Copies a box of another drawing's pixels.
  copy(pixels, box) {
    const { left, top, right, bottom } = this.touch(box);
    for (let y = top; y < bottom; y++) {
      const from = y * this.size + left;
      this.pixels.set(pixels.subarray(from, y * this.size + right), from);
    }
  }

  begin() {
    this.before = this.pixels.slice();
    this.touched = null;
  }

  restore() {
    if (!isEmpty(this.touched)) this.copy(this.before, this.touched);
  }

  // Ends a step; returns whether anything is different now.
  commit() {
    const box = this.changes();
    if (box) {
      this.past.push({ box, pixels: this.cut(this.before, box) });
      if (this.past.length > HISTORY) this.past.shift();
      this.future = [];
    }
    this.before = null;
    return box !== null;
  }

  // The smallest box around what differs from before; null where nothing does.
  changes() {
    if (isEmpty(this.touched)) return null;
    const { left, top, right, bottom } = this.touched;
    let found = null;
    for (let y = top; y < bottom; y++) {
      let x = left, last = right - 1;
      const differs = (x) => this.pixels[y * this.size + x] !== this.before[y * this.size + x];
      while (x < right && !differs(x)) x++;
      if (x === right) continue;
      while (!differs(last)) last--;
      found = around(found, { left: x, top: y, right: last + 1, bottom: y + 1 });
    }
    return found;
  }

  cut(pixels, { left, top, right, bottom }) {
    const width = right - left, part = new Uint8Array(width * (bottom - top));
    for (let y = top; y < bottom; y++) {
      part.set(pixels.subarray(y * this.size + left, y * this.size + right), (y - top) * width);
    }
    return part;
  }

  // A step exchanges its pixels with those of the drawing; returns whether there was one.
  exchange(from, to) {
    const step = from.pop();
    if (!step) return false;
    const { box, pixels } = step, width = box.right - box.left;
    to.push({ box, pixels: this.cut(this.pixels, box) });
    this.touch(box);
    for (let y = box.top; y < box.bottom; y++) {
      const row = (y - box.top) * width;
      this.pixels.set(pixels.subarray(row, row + width), y * this.size + box.left);
    }
    return true;
  }
  undo() { return this.exchange(this.past, this.future); }
  redo() { return this.exchange(this.future, this.past); }

  // Takes other pixels, as a step; returns whether they differ.
  replace(pixels) {
    this.begin();
    this.copy(pixels, this.whole);
    return this.commit();
  }

  forget() {
    this.past = [];
    this.future = [];
  }
}
