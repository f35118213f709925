// The sketch on a page: its state, and the value that goes to Python and comes from there. Loaded by
// gr.HTML with `element`, `props`, `trigger` and `watch`, together with the files named in __init__.py.

const { size } = props;
const parts = Object.fromEntries([...element.querySelectorAll("[data-part]")].map((each) => [each.dataset.part, each]));
const { root, stage, plane, canvas, ring, photo } = parts, area = parts.region;
const painting = new Sketching(size), { drawing } = painting;

let cursor = { x: size / 2, y: size / 2 }; // of the keyboard
let owner = null; // the document that the sketch belongs to; goes back to Python with every change

const rounded = (strokes) => strokes.map((stroke) => ({
  ...stroke, points: stroke.points.map(([x, y, t]) => [Math.round(x * 100) / 100, Math.round(y * 100) / 100, t]),
}));

const own = () => JSON.stringify({ strokes: rounded(drawing.strokes), document: owner });

function send() {
  const value = own();
  if (value === props.value) return;
  props.value = value;
  setTimeout(() => trigger("input"));
}

// A value from Python is JSON {photo, strokes, region, lines, fresh, document}, of which what is
// missing stays as it is. Once it is taken in, the value is the sketch again, for whoever asks next.
function receive(first = false) {
  const value = props.value || "{}";
  if (!first && value === own()) return;
  let given;
  try {
    given = JSON.parse(value);
  } catch (error) {
    return say("The sketch could not be read");
  }
  const fresh = first || given.fresh;
  if (!fresh && given.to !== undefined && given.to !== owner) { // an answer to another picture's
    props.value = own();
    return;
  }
  if (given.photo || fresh) {
    photo.hidden = !given.photo;
    if (given.photo) photo.src = given.photo;
  }
  if (given.region !== undefined || fresh) {
    area.style.maskImage = area.style.webkitMaskImage = given.region ? `url(${given.region})` : "";
    area.hidden = !given.region;
  }
  if (given.lines || fresh) painting.lines = given.lines ?? [];
  if (fresh || given.document) owner = given.document ?? null;
  if (given.strokes || fresh) painting.receive(given.strokes ?? [], fresh);
  props.value = own();
  show();
}
