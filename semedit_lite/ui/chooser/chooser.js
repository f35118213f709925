// The photo on a page: its faces, and the value that goes to Python and comes from there. Loaded by
// gr.HTML with `element`, `props`, `trigger` and `watch`, together with the files named in __init__.py.

const parts = Object.fromEntries([...element.querySelectorAll("[data-part]")].map((each) => [each.dataset.part, each]));
const { root, stage, sheet, photo } = parts;
const FIRST = 0.7; // of the photo's shorter side has the square at first

let given = null; // {photo, size, faces, sides} that Python sent
let square = null; // as it lies now; null while a face is chosen

function send(choice) {
  props.value = JSON.stringify(choice);
  trigger("input");
}

function receive() {
  given = null;
  try {
    given = props.value ? JSON.parse(props.value) : null;
  } catch (error) {} // shows nothing
  root.hidden = !given?.photo;
  if (root.hidden) return photo.removeAttribute("src");
  const [width, height] = given.size;
  photo.src = given.photo;
  stage.style.setProperty("--ratio", width / height);
  parts.faces.replaceChildren(...readingOrder(given.faces).map(faceButton));
  lay(given.faces.length ? null : firstSquare());
}

function faceButton(index, place, all) {
  const [width, height] = given.size, button = document.createElement("button");
  const [left, right] = [0, 2].map((k) => between(given.faces[index][k] / width, 0, 1));
  const [top, bottom] = [1, 3].map((k) => between(given.faces[index][k] / height, 0, 1));
  const name = `Face ${place + 1} of ${all.length}, ${placeOf(given.faces[index], given.size)}`;
  Object.assign(button, { type: "button", className: "face", title: name });
  button.setAttribute("aria-label", name);
  button.innerHTML = `<span aria-hidden="true">${place + 1}</span>`;
  Object.assign(button.style, {
    left: `${50 * (left + right)}%`, top: `${50 * (top + bottom)}%`,
    width: `${100 * (right - left)}%`, height: `${100 * (bottom - top)}%`,
    zIndex: Math.round(1000 * (1 - (right - left) * (bottom - top))), // a small face before a large one
  });
  button.addEventListener("click", () => {
    for (const each of parts.faces.children) each.toggleAttribute("data-chosen", each === button);
    send({ face: index });
  });
  return button;
}

function firstSquare() {
  const [width, height] = given.size;
  return usable({ x: width / 2, y: height / 2, side: FIRST * Math.min(width, height), degrees: 0 }, given.size, given.sides);
}

// Shows the square, or with null the faces.
function lay(next) {
  square = next;
  pointers.clear();
  stage.style.cursor = "";
  const own = square !== null, found = given.faces.length;
  root.classList.toggle("own", own);
  for (const name of ["square", "tools", "use", "help"]) parts[name].hidden = !own;
  for (const name of ["faces", "none"]) parts[name].hidden = own;
  parts.back.hidden = !own || !found;
  if (own) drawSquare();
  const lead = found ? "Lay the square over the face" : "No face was found. Lay the square over it";
  const line = own ? `${lead}: eyes, nose and mouth on their marks.`
    : found > 1 ? `${found} faces were found. Choose one.` : "One face was found. Choose it, or lay a square over another.";
  parts.line.textContent = line;
  say(line);
}

const say = (text) => (parts.status.textContent = text);
