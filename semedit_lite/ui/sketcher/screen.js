// What is seen: the strokes above the photo and the region, and the state of the controls.

const FINE = 4; // pixels of the canvas to one of the picture
canvas.width = canvas.height = size * FINE;
const context = canvas.getContext("2d");
let lined = false; // whether the photo's own lines are shown
const MARKS = { add: "rgb(47 163 135 / 0.55)", remove: "rgb(20 24 34 / 0.55)" };

function draw() {
  context.setTransform(FINE, 0, 0, FINE, 0, 0);
  context.clearRect(0, 0, size, size);
  context.lineCap = context.lineJoin = "round";
  if (lined || painting.tool === "pull") {
    for (const [colour, width] of [["rgb(0 0 0 / 0.45)", 1.6], ["rgb(150 235 255 / 0.9)", 0.8]]) {
      for (const line of painting.lines) trace(line, colour, width);
    }
  }
  for (const { kind, points, width } of drawing.strokes) if (MARKS[kind]) trace(points, MARKS[kind], width);
  for (const { kind, points, width, colour } of drawing.strokes) {
    if (kind === "colour") trace(points, colour, width);
  }
  const lines = drawing.strokes.filter(({ kind }) => kind === "line"); // white, and dark around it
  for (const { points, width } of lines) trace(points, "rgb(0 0 0 / 0.75)", width + 1.2);
  for (const { points, width } of lines) trace(points, "#fff", width);
}

function trace(points, colour, width) {
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.beginPath();
  context.moveTo(points[0][0], points[0][1]);
  for (const [x, y] of points) context.lineTo(x, y);
  context.stroke();
}

// All of it, with the controls.
function show() {
  const { tool, sized } = painting;
  draw();
  parts.tools.querySelector(`[value="${tool}"]`).checked = true;
  canvas.dataset.tool = tool;
  canvas.classList.toggle("sized", Boolean(sized));
  parts.inking.hidden = tool !== "colour";
  parts.ink.value = painting.colour;
  area.style.opacity = parts.opacity.value / 100;
  parts["opacity-shown"].value = `${parts.opacity.value} %`;
  parts.sizing.classList.toggle("off", !sized);
  parts.size.disabled = !sized;
  if (sized) parts.size.value = painting.width;
  parts["size-shown"].value = sized ? `${painting.width} px` : "";
  parts["show-lines"].setAttribute("aria-pressed", lined);
  parts["show-lines"].disabled = !painting.lines.length;
  parts.undo.disabled = !drawing.past.length && !painting.step;
  parts.redo.disabled = !drawing.future.length;
  parts.clear.disabled = !drawing.strokes.length;
}

function hover(point, { keyboard = false } = {}) {
  const { sized } = painting;
  ring.hidden = false;
  ring.classList.toggle("point", !sized);
  ring.classList.toggle("keyboard", keyboard);
  ring.style.left = `${(100 * point.x) / size}%`;
  ring.style.top = `${(100 * point.y) / size}%`;
  ring.style.width = sized ? `${(100 * painting.width * (sized === "pull" ? 2 : 1)) / size}%` : "";
}

function unhover() {
  ring.hidden = true;
}
