// The steps of a work on a page: a row a branch, a column a step, in the order in which they were made.
// Loaded by gr.HTML with `element`, `props`, `trigger` and `watch`.

const [list, said] = ["steps", "said"].map((name) => element.querySelector(`[data-part="${name}"]`));
let name = ""; // of the history
let steps = []; // {parent, name, button, row, column}
let rows = 0, current = 0;

// The value, both ways: Python gives the steps that are missing here, and is told how many there are.

const answer = (chosen) => (props.value = JSON.stringify({ name, has: steps.length, chosen }));

function receive() {
  let given;
  try {
    given = JSON.parse(props.value);
  } catch (error) {
    return;
  }
  if (!given.steps) return; // what was answered here
  if (given.name !== name) {
    list.replaceChildren();
    steps = [];
    rows = 0;
    ({ name } = given);
  }
  given.steps.forEach((step, k) => { if (given.first + k === steps.length) add(step); });
  remember(given.key);
  mark(given.current);
  answer();
}

// For this tab only; private browsing may refuse it.
function remember(key) {
  try {
    if (key) sessionStorage.setItem(props.storage, key);
    else sessionStorage.removeItem(props.storage);
  } catch (error) {}
}

function add({ parent, name, picture }) {
  const number = steps.length, before = steps[parent], button = document.createElement("button");
  const branch = before && steps.some((step) => step.parent === parent); // a child more
  const row = before && !branch ? before.row : rows++, column = before ? before.column + 1 : 0;
  const image = Object.assign(document.createElement("img"), { src: picture, alt: "", draggable: false });
  button.append(image);
  Object.assign(button, { type: "button", className: branch ? "step branch" : "step", title: name });
  button.setAttribute("aria-label", `Step ${number + 1}: ${name}${branch ? `, from step ${parent + 1}` : ""}`);
  Object.assign(button.style, { gridRow: row + 1, gridColumn: column + 1 });
  if (branch) button.style.setProperty("--rise", row - before.row);
  button.addEventListener("click", () => choose(number));
  steps.push({ parent, name, button, row, column });
  list.append(button);
}

function choose(number) {
  mark(number);
  answer(number);
  trigger("input");
}

function mark(number) {
  current = number;
  steps.forEach(({ button }, k) => {
    button.tabIndex = k === current ? 0 : -1;
    if (k === current) button.setAttribute("aria-current", "step");
    else button.removeAttribute("aria-current");
  });
  const { name, button } = steps[current];
  said.textContent = `${current + 1} of ${steps.length} · ${name}`;
  reveal(button);
}

// Within the strip alone: the page stays where it is.
function reveal({ offsetLeft, offsetTop, offsetWidth, offsetHeight }) {
  const near = 24;
  const within = (at, from, length, seen) => Math.min(from - near, Math.max(at, from + length + near - seen));
  list.scrollLeft = within(list.scrollLeft, offsetLeft, offsetWidth, list.clientWidth);
  list.scrollTop = within(list.scrollTop, offsetTop, offsetHeight, list.clientHeight);
}

// Arrow keys move along a branch and from branch to branch; Enter or Space goes to the step.

const keys = {
  arrowleft: (at) => steps[at.parent],
  arrowright: (at) => steps.find(({ parent }) => steps[parent] === at),
  arrowup: (at) => beside(at, -1),
  arrowdown: (at) => beside(at, 1),
  home: () => steps[0],
  end: () => steps.at(-1),
};

// The step in the next row up or down that is nearest in its column.
function beside(at, by) {
  const away = ({ column }) => Math.abs(column - at.column);
  const row = steps.filter((step) => step.row === at.row + by);
  return row.sort((one, other) => away(one) - away(other))[0];
}

list.addEventListener("keydown", (event) => {
  const at = steps.find(({ button }) => button === event.target);
  const next = at && keys[event.key.toLowerCase()]?.(at);
  if (!next) return;
  event.preventDefault();
  at.button.tabIndex = -1;
  next.button.tabIndex = 0;
  next.button.focus({ preventScroll: true });
  reveal(next.button);
});

watch("value", receive);
receive();
