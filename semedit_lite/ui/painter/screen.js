// What is seen: the drawing, the outlines above it, and the state of the controls.

canvas.width = canvas.height = size;
parts.marks.setAttribute("viewBox", `0 0 ${size} ${size}`);
const context = canvas.getContext("2d");
const picture = context.createImageData(size, size);
const shown = new Uint32Array(picture.data.buffer); // ABGR, one number a pixel
const colours = new Uint32Array(256).fill(0xffffffff);
const hidden = new Set(); // classes that are not shown
let contrast = false; // whether the colours are those that are easier to tell apart
let overlaid = false; // whether the overlay is wanted

function colour() {
  classes.forEach((each, id) => {
    const [r, g, b] = (contrast && each.contrast) || each.colour;
    colours[id] = hidden.has(id) ? 0 : ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
    palette.children[id].style.setProperty("--colour", `rgb(${r} ${g} ${b})`);
    palette.children[id].querySelector("button").setAttribute("aria-pressed", hidden.has(id));
  });
  parts["show-all"].disabled = !hidden.size;
  parts.contrast.setAttribute("aria-pressed", contrast);
  drawing.unseen = drawing.whole;
  draw();
}

// The part of the drawing that changed, and the outlines above it.
function draw() {
  const { pixels, unseen } = drawing, { left, top, right, bottom } = unseen;
  if (!isEmpty(unseen)) {
    for (let y = top; y < bottom; y++) {
      for (let k = y * size + left; k < y * size + right; k++) shown[k] = colours[pixels[k]];
    }
    context.putImageData(picture, 0, 0, left, top, right - left, bottom - top);
  }
  drawing.unseen = NOTHING.box;
  outline();
}

// All of it, with the controls.
function show() {
  const { tool, step, selection, sized } = painting;
  draw();
  parts.tools.querySelector(`[value="${tool}"]`).checked = true;
  canvas.dataset.tool = tool;
  canvas.classList.toggle("sized", Boolean(sized));
  choice();
  overlay.hidden = !overlaid || parts["show-overlay"].hidden;
  parts["show-overlay"].setAttribute("aria-pressed", overlaid);
  canvas.style.opacity = photo.hidden ? 1 : 1 - parts.opacity.value / 100;
  parts.underlay.classList.toggle("off", photo.hidden);
  parts.opacity.disabled = photo.hidden;
  parts["opacity-shown"].value = `${parts.opacity.value} %`;
  const steps = tool === "select" || tool === "lasso"; // tools whose step has to be ended
  parts.sizing.hidden = steps;
  parts.selecting.hidden = !steps;
  parts.sizing.classList.toggle("off", !sized);
  parts.size.disabled = !sized;
  if (sized) parts.size.value = painting.width;
  parts["size-shown"].value = sized ? `${painting.width} px` : "";
  for (const name of ["mirror", "tumble", "remove"]) parts[name].disabled = !selection;
  for (const name of ["lay", "give-up"]) parts[name].disabled = !step;
  parts.undo.disabled = !drawing.past.length && !step;
  parts.redo.disabled = !drawing.future.length;
  if (seen) hover(seen.point, seen);
}

function choice() {
  const input = palette.querySelector(`[value="${painting.ink}"]`), { parentElement: swatch } = input;
  if (input.checked) return;
  input.checked = true;
  const entry = swatch.parentElement; // in the middle of the row, on phones
  palette.scrollLeft = entry.offsetLeft - (palette.clientWidth - entry.offsetWidth) / 2;
}

// Lasso, rectangle to select in, selected part: as paths in pixels of the drawing.
let traced = { held: null, path: "" }; // the edges of the selected part, as they were last drawn

function outline() {
  const { step, selection } = painting;
  let path = "", transform = "", corners = "", box = step?.marquee?.box;
  if (step?.points) {
    const line = seen && !painting.pressed ? [...step.points, seen.point] : step.points;
    path = `M${line.map(({ x, y }) => `${x} ${y}`).join("L")}`;
    corners = step.pieces.map((k) => step.points[k]).filter(Boolean).map(({ x, y }) => `M${x} ${y}h0`).join("");
  } else if (selection && !box) {
    box = selection.box;
    const { left, top, right, bottom } = box, { width, height, held } = selection;
    if (traced.held !== held) traced = { held, path: edges(held, width, height) };
    path = traced.path;
    transform = `translate(${left} ${top}) scale(${(right - left) / width} ${(bottom - top) / height})`;
    corners = [left, right].flatMap((x) => [top, bottom].map((y) => `M${x} ${y}h0`)).join("");
  }
  const frame = box ? `M${box.left} ${box.top}H${box.right}V${box.bottom}H${box.left}z` : "";
  for (const [name, drawn] of Object.entries({ outline: path, frame, corners })) {
    for (const part of [parts[name], parts[`${name}-core`]]) attribute(part, "d", drawn);
  }
  for (const part of [parts.outline, parts["outline-core"]]) attribute(part, "transform", transform);
}

// Only what differs is set: setting it makes the browser paint.
function attribute(part, name, value) {
  if ((part.getAttribute(name) ?? "") !== value) part.setAttribute(name, value);
}

// The lines between pixels that are held and pixels that are not.
function edges(held, width, height) {
  const at = (x, y) => x >= 0 && y >= 0 && x < width && y < height && held[y * width + x] === 1;
  let path = "";
  const runs = (count, length, differs, line) => {
    for (let k = 0; k <= count; k++) {
      for (let from = 0, to = 0; from < length; from = ++to) {
        while (to < length && differs(k, to)) to++;
        if (to > from) path += line(k, from, to);
      }
    }
  };
  runs(height, width, (y, x) => at(x, y - 1) !== at(x, y), (y, from, to) => `M${from} ${y}H${to}`);
  runs(width, height, (x, y) => at(x - 1, y) !== at(x, y), (x, from, to) => `M${x} ${from}V${to}`);
  return path;
}

function hover(point, { reach = 0, keyboard = false } = {}) {
  const { sized, selection, pressed } = painting;
  seen = { point, reach, keyboard };
  ring.hidden = false;
  ring.classList.toggle("point", !sized);
  ring.classList.toggle("keyboard", keyboard);
  ring.style.left = `${(100 * point.x) / size}%`;
  ring.style.top = `${(100 * point.y) / size}%`;
  ring.style.width = sized ? `${(100 * painting.width) / size}%` : "";
  if (!pressed) canvas.dataset.grip = selection?.grip(point, reach) ?? "";
  const under = painting.nameAt(point);
  if (parts.under.textContent !== under) parts.under.textContent = under;
  if (painting.step?.points) outline();
}

function unhover() {
  seen = null;
  ring.hidden = true;
  parts.under.textContent = "";
}
