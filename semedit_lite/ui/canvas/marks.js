// Marks: sets of pixels. A mark is {box, has}: nothing outside the box is in it, and has(x, y) says
// whether the pixel in column x of row y is. A shape holds the pixels whose centre lies in it.
//   point  {x, y} in pixels of the drawing, (0, 0) being its upper left corner
//   box    {left, top, right, bottom} in whole pixels; right and bottom are the first ones outside

const isEmpty = (box) => !box || box.left >= box.right || box.top >= box.bottom;
const overlap = (a, b) => ({
  left: Math.max(a.left, b.left), top: Math.max(a.top, b.top),
  right: Math.min(a.right, b.right), bottom: Math.min(a.bottom, b.bottom),
});
const around = (a, b) => (isEmpty(a) ? b : isEmpty(b) ? a : {
  left: Math.min(a.left, b.left), top: Math.min(a.top, b.top),
  right: Math.max(a.right, b.right), bottom: Math.max(a.bottom, b.bottom),
});
const distance = (a, b) => Math.sqrt((a.x - b.x) ** 2 + (a.y - b.y) ** 2);
const holds = ({ left, top, right, bottom }, { x, y }) => x >= left && y >= top && x < right && y < bottom;

const NOTHING = { box: { left: 0, top: 0, right: 0, bottom: 0 }, has: () => false };

// What a round brush covers on its way; the thinnest still marks the pixel that it ends in.
function stroke(from, to, width) {
  const radius = width / 2, square = radius * radius;
  const dx = to.x - from.x, dy = to.y - from.y, length = dx * dx + dy * dy;
  const column = Math.floor(to.x), row = Math.floor(to.y);
  return {
    box: {
      left: Math.floor(Math.min(from.x, to.x) - radius), top: Math.floor(Math.min(from.y, to.y) - radius),
      right: Math.ceil(Math.max(from.x, to.x) + radius), bottom: Math.ceil(Math.max(from.y, to.y) + radius),
    },
    has(x, y) {
      if (x === column && y === row) return true;
      const u = x + 0.5 - from.x, v = y + 0.5 - from.y, along = u * dx + v * dy;
      if (along <= 0) return u * u + v * v <= square;
      if (along >= length) return (u - dx) ** 2 + (v - dy) ** 2 <= square;
      return (u * dy - v * dx) ** 2 <= square * length;
    },
  };
}

// From the pixel of one point to that of the other, both of them in it.
function rectangle(from, to) {
  const box = {
    left: Math.floor(Math.min(from.x, to.x)), top: Math.floor(Math.min(from.y, to.y)),
    right: Math.floor(Math.max(from.x, to.x)) + 1, bottom: Math.floor(Math.max(from.y, to.y)) + 1,
  };
  return { box, has: () => true };
}

function ellipse(from, to) {
  const { box } = rectangle(from, to), width = box.right - box.left, height = box.bottom - box.top;
  const within = (width * height) ** 2;
  const has = (x, y) => {
    const u = (2 * x + 1 - box.left - box.right) * height, v = (2 * y + 1 - box.top - box.bottom) * width;
    return u * u + v * v <= within;
  };
  return { box, has };
}

// Everything that the outline goes around, where it crosses itself too.
function polygon(points, size) {
  if (points.length < 3) return NOTHING;
  const turns = new Int32Array(size * size); // at a pixel: turns around it less those around its left neighbour
  let { box } = NOTHING;
  points.forEach((from, k) => {
    const to = points[(k + 1) % points.length], down = to.y > from.y ? 1 : -1;
    box = around(box, rectangle(from, to).box);
    const first = Math.max(0, Math.ceil(Math.min(from.y, to.y) - 0.5));
    const last = Math.min(size, Math.ceil(Math.max(from.y, to.y) - 0.5));
    for (let y = first; y < last; y++) {
      const crossing = from.x + ((y + 0.5 - from.y) * (to.x - from.x)) / (to.y - from.y);
      const x = Math.max(0, Math.ceil(crossing - 0.5));
      if (x < size) turns[y * size + x] += down;
    }
  });
  box = overlap(box, { left: 0, top: 0, right: size, bottom: size });
  for (let y = box.top; y < box.bottom; y++) {
    for (let k = y * size + box.left + 1; k < y * size + box.right; k++) turns[k] += turns[k - 1];
  }
  return { box, has: (x, y) => turns[y * size + x] !== 0 };
}

// The pixels of one class that hang together with that of the point.
function region(point, pixels, size) {
  const whole = { left: 0, top: 0, right: size, bottom: size };
  if (!holds(whole, point)) return NOTHING;
  const start = Math.floor(point.y) * size + Math.floor(point.x), id = pixels[start];
  const found = new Uint8Array(size * size), stack = new Int32Array(size * size);
  let left = size, top = size, right = 0, bottom = 0, count = 0;
  const visit = (k) => {
    if (pixels[k] === id && !found[k]) found[stack[count++] = k] = 1;
  };
  visit(start);
  while (count) {
    const k = stack[--count], x = k % size, y = (k - x) / size;
    if (x < left) left = x;
    if (x >= right) right = x + 1;
    if (y < top) top = y;
    if (y >= bottom) bottom = y + 1;
    if (x > 0) visit(k - 1);
    if (x < size - 1) visit(k + 1);
    if (y > 0) visit(k - size);
    if (y < size - 1) visit(k + size);
  }
  return { box: { left, top, right, bottom }, has: (x, y) => found[y * size + x] === 1 };
}

const together = (a, b) => ({
  box: around(a.box, b.box),
  has: (x, y) => [a, b].some(({ box, has }) => holds(box, { x, y }) && has(x, y)),
});
