// The square that is laid over a face: mouse, touch, pen and keys.

const REACH = { touch: 24, mouse: 12, pen: 12 }; // CSS pixels that a pointer may be off
const pointers = new Map(); // points of the photo under those that hold the square
let start = null; // {square, points} when the last of them came or went
let pulling = false; // whether a corner is held

function drawSquare() {
  const { x, y, side, degrees } = square, [width, height] = given.size;
  Object.assign(parts.square.style, {
    left: `${(100 * x) / width}%`, top: `${(100 * y) / height}%`, width: `${(100 * side) / width}%`,
    transform: `translate(-50%, -50%) rotate(${degrees}deg)`,
  });
}

function change(next, spoken) {
  square = usable(next, given.size, given.sides);
  drawSquare();
  const { x, y, side, degrees } = square;
  if (spoken) say(`Centre ${Math.round(x)}, ${Math.round(y)}; side ${Math.round(side)} pixels; turned by ${Math.round(degrees)} degrees`);
}

function where(event) {
  const shown = sheet.getBoundingClientRect(); // CSS pixels, as the event's: zoom and density cancel
  const point = pointUnder(event, shown, given.size), reach = REACH[event.pointerType] ?? 12;
  return { point, grip: gripOf(square, point, (reach * given.size[0]) / shown.width) };
}

// From here on the square follows the pointers from where it is and they are now.
function hold() {
  start = { square, points: [...pointers.values()] };
}

stage.addEventListener("pointerdown", (event) => {
  if (!square || event.button !== 0 || pointers.size > 1) return;
  stage.setPointerCapture(event.pointerId);
  const { point, grip } = where(event);
  pointers.set(event.pointerId, point);
  pulling = grip === "corner" && pointers.size === 1;
  if (!grip && pointers.size === 1) change({ ...square, x: point.x, y: point.y }); // comes to where one points
  hold();
  parts.square.focus({ preventScroll: true });
  event.preventDefault(); // else the focus leaves the square again
});
stage.addEventListener("pointermove", (event) => {
  if (!square) return;
  if (!pointers.has(event.pointerId)) {
    if (!pointers.size) hint(event);
    return;
  }
  pointers.set(event.pointerId, where(event).point);
  const points = [...pointers.values()];
  change(pulling ? pulled(start.square, start.points[0], points[0]) : carried(start.square, start.points, points));
});
for (const type of ["pointerup", "pointercancel", "lostpointercapture"]) {
  stage.addEventListener(type, (event) => {
    if (!pointers.delete(event.pointerId) || !square) return;
    pulling = false;
    hold();
    change(square, true);
  });
}
stage.addEventListener("wheel", (event) => {
  if (!square || where(event).grip === null) return; // beside it the page scrolls
  event.preventDefault();
  const pixels = event.deltaY * (event.deltaMode === 1 ? 30 : 1);
  change({ ...square, side: square.side * Math.exp(-pixels * (event.ctrlKey ? 0.01 : 0.001)) }, true); // ctrl: a pinch on a touchpad
  hold();
}, { passive: false });

// The arrows of the cursor point away from the centre.
function hint(event) {
  const { point, grip } = where(event), angle = Math.atan2(point.y - square.y, point.x - square.x);
  const arrows = ["ew", "nwse", "ns", "nesw"][Math.round((4 * angle) / Math.PI) & 3];
  stage.style.cursor = grip === "corner" ? `${arrows}-resize` : grip ? "move" : "";
}

// Keys and buttons

const grow = (factor) => change({ ...square, side: square.side * factor }, true);
const rotate = (degrees) => change({ ...square, degrees: square.degrees + degrees }, true);
const nudge = (x, y) => change({ ...square, x: square.x + x * square.side, y: square.y + y * square.side }, true);
const use = () => {
  const { x, y, side, degrees } = square;
  send({ square: [x, y, side, degrees].map((value) => Number(value.toFixed(2))) });
};
const STEP = 0.01; // of the square's side
const keys = {
  ArrowLeft: (step) => nudge(-step, 0), ArrowRight: (step) => nudge(step, 0),
  ArrowUp: (step) => nudge(0, -step), ArrowDown: (step) => nudge(0, step), Enter: use,
};
const signs = { "+": () => grow(1.05), "=": () => grow(1.05), "-": () => grow(1 / 1.05), "[": () => rotate(-5), "]": () => rotate(5) };

root.addEventListener("keydown", (event) => {
  const { key } = event;
  if ((event.ctrlKey || event.metaKey || event.altKey) && !event.getModifierState("AltGraph")) return;
  if (key === "Escape") send({ cancel: true });
  else if (square && key in signs) signs[key]();
  else if (square && key in keys && event.target === parts.square) keys[key](event.shiftKey ? 5 * STEP : STEP);
  else return;
  event.preventDefault();
});
const clicks = {
  smaller: signs["-"], larger: signs["+"], left: signs["["], right: signs["]"], use, cancel: () => send({ cancel: true }),
  none: () => { lay(firstSquare()); parts.square.focus({ preventScroll: true }); },
  back: () => { lay(null); parts.faces.firstElementChild.focus({ preventScroll: true }); },
};
for (const [name, act] of Object.entries(clicks)) parts[name].addEventListener("click", act);

// At the beginning

// Eyes on a line, the nose and the mouth, where the generator has them.
function face({ l_eye: left, r_eye: right, nose, mouth }) {
  const eye = ([x, y]) => `M${x - 0.055} ${y}q.055 -.05 .11 0q-.055 .05 -.11 0z`;
  return `M.2 ${left[1]}H${right[0] - 0.08}M${right[0] + 0.08} ${left[1]}H${left[0] - 0.08}M${left[0] + 0.08} ${left[1]}H.8
    ${eye(left)}${eye(right)}M${nose[0] - 0.045} ${nose[1] + 0.02}q.045 .045 .09 0M${nose[0]} ${nose[1] - 0.05}v.05
    M${mouth[0] - 0.1} ${mouth[1] - 0.01}q.1 -.03 .2 0q-.1 .07 -.2 0z`;
}
for (const part of [parts.marks, parts["marks-core"]]) part.setAttribute("d", face(props.marks));
root.setAttribute("aria-label", props.title);
parts.help.id = `chooser-${Math.random().toString(36).slice(2)}`;
parts.square.setAttribute("aria-describedby", parts.help.id);
photo.addEventListener("error", () => say("The photo could not be shown"));
watch("value", receive);
receive();
