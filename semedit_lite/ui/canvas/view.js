// Zoom and pan: the plane, which carries photo, canvas and marks, is moved and enlarged within the
// stage. Where a pointer is on the drawing is read off the canvas as it then stands, so that nothing
// else needs to know. A place is {x, y} in widths of the stage.

const CLOSEST = 16;
const view = { zoom: 1, x: 0, y: 0 }; // the plane's width and its upper left corner

function placeOf({ clientX, clientY }) {
  const box = stage.getBoundingClientRect();
  return { x: (clientX - box.left) / box.width, y: (clientY - box.top) / box.height };
}

// What lies at one place comes to lie at another, `factor` times as large; the drawing always covers
// the stage.
function carry(from, to, factor = 1) {
  const zoom = Math.min(CLOSEST, Math.max(1, view.zoom * factor)), grows = zoom / view.zoom;
  const within = (value) => Math.min(0, Math.max(1 - zoom, value));
  view.x = within(to.x - (from.x - view.x) * grows);
  view.y = within(to.y - (from.y - view.y) * grows);
  view.zoom = zoom;
  Object.assign(plane.style, {
    left: `${100 * view.x}%`, top: `${100 * view.y}%`, width: `${100 * zoom}%`, height: `${100 * zoom}%`,
  });
}

// Moves the view just so far that a point of the drawing, as a fraction of its size, is in it.
function reveal({ x, y }) {
  const edge = 0.06, within = (value) => Math.min(1 - edge, Math.max(edge, value));
  const place = { x: view.x + x * view.zoom, y: view.y + y * view.zoom };
  carry(place, { x: within(place.x), y: within(place.y) });
}

// The same, with what a page says of it: `parts` are its elements by their data-part.

const say = (text) => (parts.status.textContent = text);

function look(from, to, factor) {
  carry(from, to, factor);
  const percent = `${Math.round(100 * view.zoom)} %`;
  if (percent !== parts["zoom-shown"].textContent) say(`Zoom ${percent}`);
  parts["zoom-shown"].textContent = percent;
  parts["zoom-out"].disabled = parts.fit.disabled = view.zoom === 1;
  parts["zoom-in"].disabled = view.zoom === CLOSEST;
  stage.classList.toggle("movable", view.zoom > 1);
}

function zoom(factor) {
  const middle = { x: 0.5, y: 0.5 };
  look(middle, middle, factor);
}
