// Where things lie in a photo, apart from any page. Points are {x, y} in pixels of the photo, whose
// size is [width, height]; a square is {x, y, side, degrees}: its centre, and how far it is turned
// clockwise; the box of a face is [left, top, right, bottom].

const between = (value, low, high) => Math.min(high, Math.max(low, value));

// The point of the photo under a pointer; `shown` is the rectangle that the photo takes on the page.
function pointUnder({ clientX, clientY }, shown, [width, height]) {
  return { x: ((clientX - shown.left) / shown.width) * width, y: ((clientY - shown.top) / shown.height) * height };
}

function turned({ x, y }, degrees) {
  const cos = Math.cos((degrees * Math.PI) / 180), sin = Math.sin((degrees * Math.PI) / 180);
  return { x: x * cos - y * sin, y: x * sin + y * cos };
}

// The square

// The nearest one that can be used: its centre lies in the photo, its side between two `sides`.
function usable({ x, y, side, degrees }, [width, height], [low, high]) {
  const turns = Math.floor((degrees + 180) / 360);
  return { x: between(x, 0, width), y: between(y, 0, height), side: between(side, low, high), degrees: degrees - 360 * turns };
}

// A point as the square sees it: its centre is the origin, its corners are at 1 and -1.
function seenFrom(square, point) {
  const { x, y } = turned({ x: point.x - square.x, y: point.y - square.y }, -square.degrees);
  return { x: (2 * x) / square.side, y: (2 * y) / square.side };
}

// What of it lies within `reach` of a point: a "corner", the "inside" or null. In a small one, corners
// reach no further in than a third, so that there is always something to move it by.
function gripOf(square, point, reach) {
  const at = seenFrom(square, point), x = Math.abs(at.x), y = Math.abs(at.y);
  const inside = x <= 1 && y <= 1;
  if (Math.hypot(x - 1, y - 1) <= (2 * reach) / square.side && (!inside || Math.min(x, y) > 1 / 3)) return "corner";
  return inside ? "inside" : null;
}

// The square with the corner at one point dragged to another; its centre stays.
function pulled(square, from, to) {
  const [before, after] = [from, to].map((point) => seenFrom(square, point)).map(({ x, y }) => Math.max(Math.abs(x), Math.abs(y)));
  return { ...square, side: (square.side * after) / before };
}

// The square carried along by one finger, or moved, scaled and turned by two; each was at `from` and
// is at `to`.
function carried(square, from, to) {
  const before = spread(from), after = spread(to), grows = after.apart / before.apart, turns = after.degrees - before.degrees;
  const { x, y } = turned({ x: (square.x - before.x) * grows, y: (square.y - before.y) * grows }, turns);
  return { x: after.x + x, y: after.y + y, side: square.side * grows, degrees: square.degrees + turns };
}

function spread([a, b]) {
  if (!b) return { ...a, apart: 1, degrees: 0 };
  const dx = b.x - a.x, dy = b.y - a.y;
  return {
    x: (a.x + b.x) / 2, y: (a.y + b.y) / 2,
    apart: Math.max(1e-3, Math.hypot(dx, dy)), degrees: (Math.atan2(dy, dx) * 180) / Math.PI,
  };
}

// The faces

// Their indices in the order in which one reads: row by row. A face whose middle is above the lower
// border of the row's highest face is in that row.
function readingOrder(boxes) {
  const middle = ([left, top, right, bottom]) => ({ x: (left + right) / 2, y: (top + bottom) / 2 });
  const rows = [];
  for (const face of [...boxes.keys()].sort((a, b) => middle(boxes[a]).y - middle(boxes[b]).y)) {
    const row = rows.at(-1);
    if (row && middle(boxes[face]).y < boxes[row[0]][3]) row.push(face);
    else rows.push([face]);
  }
  return rows.flatMap((row) => row.sort((a, b) => middle(boxes[a]).x - middle(boxes[b]).x));
}

// Where in the photo a box is, in words: "top left", "right", "centre".
function placeOf([left, top, right, bottom], [width, height]) {
  const third = (value) => Math.floor(between(3 * value, 0, 2.99));
  const across = ["left", "", "right"][third((left + right) / 2 / width)], down = ["top", "", "bottom"][third((top + bottom) / 2 / height)];
  return [down, across].filter(Boolean).join(" ") || "centre";
}
