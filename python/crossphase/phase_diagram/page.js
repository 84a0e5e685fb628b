"use strict";

const given = JSON.parse(document.getElementById("diagram").textContent);
const state = { ...given.state }; // the four variances, kappa_max, direction
const WAYS = { "x-to-y": ["X", "Y"], "y-to-x": ["Y", "X"] };
const N_STEPS = 1000; // of a slider

// The boundaries, as crossphase.regimes computes them: the same operations in the same order give the same bits.

function varianceOverSignal(kappa, gamma) {
  return kappa > 0 ? 1 + gamma / kappa / kappa : Infinity;
}

function nuCa(kappa) {
  return 1 / Math.sqrt(varianceOverSignal(kappa, state.gamma_x) * varianceOverSignal(kappa, state.gamma_y));
}

function nuCp(kappa, way) {
  const [gamma, gammaTilde] =
    way === "x-to-y" ? [state.gamma_x, state.gamma_tilde_y] : [state.gamma_y, state.gamma_tilde_x];
  const gain = kappa / Math.sqrt(varianceOverSignal(kappa, gamma));
  return gain > 0 ? gain / Math.sqrt(gammaTilde) : 0;
}

function ratio(threshold, nu) {
  return nu > 0 ? threshold / nu : threshold > 0 ? Infinity : 0;
}

function regime(deltaCa, deltaCp) {
  if (deltaCa > 1) return deltaCp > 1 ? "both" : "ca_only";
  return deltaCp > 1 ? "cp_only" : "neither";
}

function ways() {
  return state.direction === "both" ? Object.keys(WAYS) : [state.direction];
}

// Drawing. Names of points are text nodes, never markup.

const SVG = "http://www.w3.org/2000/svg";
const PLANE = { left: 58, top: 34, width: 560, height: 420 };

function make(parent, tag, attributes = {}, text = null) {
  const element = parent.namespaceURI === SVG || tag === "svg" ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== null) element.textContent = text;
  return parent.appendChild(element);
}

const across = (kappa) => PLANE.left + (PLANE.width * kappa) / state.kappa_max;
const up = (nu) => PLANE.top + PLANE.height * (1 - nu);
const path = (kappas, nus) => kappas.map((kappa, i) => `${across(kappa).toFixed(2)},${up(nus[i]).toFixed(2)}`);

function drawPlane(way) {
  const [from, to] = WAYS[way];
  const title = `${from} → ${to}: align, or predict ${to} from ${from}?`;
  const svg = make(document.getElementById("planes"), "svg", { viewBox: "0 0 640 510", role: "img", "data-way": way });
  const words = given.points.map((point) => `${point.name}: ${given.labels[located(point, way).regime]}`);
  make(svg, "title", {}, [title, ...words].join(". "));
  const kappas = Array.from({ length: 401 }, (_, i) => (state.kappa_max * i) / 400);
  const ca = kappas.map((kappa) => Math.min(nuCa(kappa), 1));
  const cp = kappas.map((kappa) => Math.min(nuCp(kappa, way), 1));
  // Painted over one another, so that no gap can open where the boundaries cross.
  const lower = ca.map((nu, i) => Math.min(nu, cp[i]));
  const fills = [["neither", ca.map(() => 1)], ["ca_only", ca], ["cp_only", cp], ["both", lower]];
  for (const [name, top] of fills) {
    const outline = `M${across(0)},${up(0)}L${path(kappas, top).join("L")}L${across(state.kappa_max)},${up(0)}Z`;
    make(svg, "path", { class: "region", "data-regime": name, d: outline, fill: given.colors[name] });
  }
  make(svg, "polyline", { points: path(kappas, ca).join(" "), fill: "none", stroke: "#000", "stroke-width": 2 });
  make(svg, "polyline", { points: path(kappas, cp).join(" "), fill: "none", stroke: "#000", "stroke-width": 2, "stroke-dasharray": "7 4" });
  drawFrame(svg, title);
  nameRegions(svg, ca, cp, drawPoints(svg));
}

function nameRegions(svg, ca, cp, taken) {
  const n = ca.length, margin = Math.floor(n / 8), halfWidth = Math.floor(0.065 * n), halfHeight = 0.035;
  const bounds = {
    both: (i) => [0, Math.min(ca[i], cp[i])],
    ca_only: (i) => [cp[i], ca[i]],
    cp_only: (i) => [ca[i], cp[i]],
    neither: (i) => [Math.max(ca[i], cp[i]), 1],
  };
  const isTaken = (i, nu) => {
    const x = PLANE.left + (PLANE.width * i) / (n - 1);
    const box = boxAround(x, up(nu), 0.13 * PLANE.width, 0.07 * PLANE.height);
    return taken.some((other) => overlap(box, other));
  };
  for (const [name, bound] of Object.entries(bounds)) {
    let best = null;
    for (let i = margin; i < n - margin; i++) {
      const [bottom, top] = bound(i);
      if (top - bottom <= Math.max(0.08, best ? best.height : 0)) continue;
      let floor = 0, ceiling = 1; // of the region, over the width of the name
      for (let j = i - halfWidth; j <= i + halfWidth; j++) {
        const [low, high] = bound(Math.min(Math.max(j, 0), n - 1));
        floor = Math.max(floor, low);
        ceiling = Math.min(ceiling, high);
      }
      const nu = Math.min(Math.max((bottom + top) / 2, floor + halfHeight), ceiling - halfHeight);
      if (ceiling - floor > 2 * halfHeight && !isTaken(i, nu)) best = { height: top - bottom, i, nu };
    }
    if (best) {
      const x = PLANE.left + (PLANE.width * best.i) / (n - 1);
      make(svg, "text", { x, y: up(best.nu) + 5, "text-anchor": "middle", "font-size": 16 }, given.labels[name]);
    }
  }
}

function drawFrame(svg, title) {
  const right = PLANE.left + PLANE.width, bottom = PLANE.top + PLANE.height;
  make(svg, "rect", { x: PLANE.left, y: PLANE.top, width: PLANE.width, height: PLANE.height, fill: "none", stroke: "#000" });
  make(svg, "text", { x: (PLANE.left + right) / 2, y: 20, "text-anchor": "middle", "font-size": 16 }, title);
  for (const kappa of ticks(state.kappa_max)) {
    make(svg, "line", { x1: across(kappa), x2: across(kappa), y1: bottom, y2: bottom + 5, stroke: "#000" });
    make(svg, "text", { x: across(kappa), y: bottom + 20, "text-anchor": "middle", "font-size": 14 }, short(kappa));
  }
  for (const nu of [0, 0.2, 0.4, 0.6, 0.8, 1]) {
    make(svg, "line", { x1: PLANE.left - 5, x2: PLANE.left, y1: up(nu), y2: up(nu), stroke: "#000" });
    make(svg, "text", { x: PLANE.left - 8, y: up(nu) + 5, "text-anchor": "end", "font-size": 14 }, nu.toFixed(1));
  }
  make(svg, "text", { x: (PLANE.left + right) / 2, y: bottom + 44, "text-anchor": "middle", "font-size": 15 }, "signal strength κ");
  const y = (PLANE.top + bottom) / 2;
  make(svg, "text", { x: 16, y, "text-anchor": "middle", "font-size": 15, transform: `rotate(-90 16 ${y})` }, "nuisance correlation ν");
}

// Marks, and each name on the first side of its mark that is free; their boxes.
function drawPoints(svg) {
  const shown = given.points.filter((point) => point.kappa <= state.kappa_max); // the table tells the others' regimes too
  const taken = shown.map((point) => boxAround(across(point.kappa), up(point.nu), 16, 16));
  for (const point of shown) {
    const x = across(point.kappa), y = up(point.nu);
    make(svg, "circle", { cx: x, cy: y, r: 7, fill: given.point_color, stroke: "#000", "stroke-width": 1.5 });
    const text = make(svg, "text", { "text-anchor": "middle", "font-size": 14, class: "name" }, point.name);
    const width = text.getComputedTextLength(), aside = width / 2 + 12;
    const places = [[aside, 0], [-aside, 0], [0, -18], [0, 18], [aside, -14], [-aside, -14], [aside, 14], [-aside, 14]];
    const boxes = places.map(([dx, dy]) => boxAround(x + dx, y + dy, width, 16));
    const box = boxes.find((box) => isInside(box) && !taken.some((other) => overlap(box, other))) ?? boxes[0];
    text.setAttribute("x", (box.left + box.right) / 2);
    text.setAttribute("y", box.bottom - 3);
    taken.push(box);
  }
  return taken;
}

function boxAround(x, y, width, height) {
  return { left: x - width / 2, right: x + width / 2, top: y - height / 2, bottom: y + height / 2 };
}

function isInside({ left, right, top, bottom }) {
  return left >= PLANE.left && right <= PLANE.left + PLANE.width && top >= PLANE.top && bottom <= PLANE.top + PLANE.height;
}

function overlap(one, other) {
  return one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom;
}

function ticks(largest) {
  const rough = largest / 5, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  return Array.from({ length: Math.floor(largest / step + 1e-9) + 1 }, (_, i) => i * step);
}

function short(value) {
  if (value === Infinity) return "∞";
  return String(Number(value.toPrecision(3)));
}

// The table of points.

function located(point, way) {
  const thresholds = { nuCa: nuCa(point.kappa), nuCp: nuCp(point.kappa, way) };
  return { ...thresholds, regime: regime(ratio(thresholds.nuCa, point.nu), ratio(thresholds.nuCp, point.nu)) };
}

function tellPoints() {
  const head = document.querySelector("#points thead tr"), body = document.querySelector("#points tbody");
  head.replaceChildren();
  body.replaceChildren();
  const columns = ["point", "κ", "ν", "align recovers below ν ="];
  for (const way of ways()) {
    const [from, to] = WAYS[way];
    columns.push(`predicting ${to} from ${from} below ν =`, `${from} → ${to}: recovers`);
  }
  for (const column of columns) make(head, "th", { scope: "col" }, column);
  given.points.forEach((point) => {
    const row = make(body, "tr");
    make(row, "th", { scope: "row" }, point.name);
    make(row, "td", {}, short(point.kappa));
    make(row, "td", {}, short(point.nu));
    make(row, "td", { "data-nu-ca": nuCa(point.kappa) }, short(nuCa(point.kappa)));
    for (const way of ways()) {
      const place = located(point, way);
      make(row, "td", { "data-way": way, "data-nu-cp": place.nuCp }, short(place.nuCp));
      make(row, "td", { "data-way": way, "data-regime": place.regime }, given.labels[place.regime]);
    }
  });
}

// Controls: a slider and a number field for each parameter, which hold the same value; the address keeps them all.

const refreshers = [];

function addParameter(parent, name, [low, high], label, hasZero) {
  const box = make(document.getElementById(parent), "div", { class: "control" });
  const caption = make(box, "label", { for: `${name}-number` });
  make(caption, "span", {}, label.symbol);
  make(caption, "sub", {}, label.index);
  make(caption, "span", {}, label.meaning);
  const slider = make(box, "input", { type: "range", id: `${name}-slider`, min: 0, max: N_STEPS, step: 1 });
  slider.setAttribute("aria-label", caption.textContent);
  const number = make(box, "input", { type: "number", id: `${name}-number`, step: "any" });
  // Equal steps of the slider are equal ratios; its left end is 0 where that is a value.
  slider.addEventListener("input", () => {
    const position = Number(slider.value);
    const value = Number((low * (high / low) ** (position / N_STEPS)).toPrecision(3));
    change({ [name]: position === 0 && hasZero ? 0 : value });
  });
  number.addEventListener("input", () => {
    const value = number.valueAsNumber; // NaN if it is none
    const isValid = isAllowed(name, value);
    number.setCustomValidity(isValid ? "" : `a number ${hasZero ? "of at least" : "above"} 0`);
    if (isValid) change({ [name]: value });
  });
  refreshers.push(() => {
    const position = (N_STEPS * Math.log(state[name] / low)) / Math.log(high / low);
    slider.value = Math.max(0, Math.round(position)); // log 0 is -Infinity: the left end
    slider.setAttribute("aria-valuetext", short(state[name]));
    if (document.activeElement !== number) {
      number.value = state[name]; // not while it is being typed
      number.setCustomValidity("");
    }
  });
}

function isAllowed(name, value) {
  if (name === "direction") return value === "both" || value in WAYS;
  const [least, largest] = name === "kappa_max" ? [1e-30, 1e30] : [1e-60, 1e60]; // as parameters.py has it
  return (value === 0 && name !== "kappa_max") || (value >= least && value < largest);
}

function addDirections() {
  const choices = { ...WAYS, both: null };
  for (const [direction, views] of Object.entries(choices)) {
    const label = make(document.getElementById("directions"), "label", { class: "choice" });
    const radio = make(label, "input", { type: "radio", name: "direction", value: direction });
    make(label, "span", {}, views ? ` predict ${views[1]} from ${views[0]}` : " both");
    radio.addEventListener("change", () => change({ direction }));
    refreshers.push(() => {
      radio.checked = state.direction === direction;
    });
  }
}

function addKey() {
  const key = document.getElementById("key");
  const line = (dashes) => (svg) =>
    make(svg, "line", { x1: 0, x2: 32, y1: 8, y2: 8, stroke: "#000", "stroke-width": 2, "stroke-dasharray": dashes });
  const area = (color) => (svg) => make(svg, "rect", { width: 32, height: 16, fill: color });
  const entries = [["align recovers below", line("none")], ["predict recovers below", line("7 4")]];
  for (const [name, words] of Object.entries(given.descriptions)) entries.push([words, area(given.colors[name])]);
  for (const [words, draw] of entries) {
    const item = make(key, "li");
    draw(make(item, "svg", { viewBox: "0 0 32 16", "aria-hidden": "true" }));
    make(item, "span", {}, words);
  }
}

function addPlay({ parameter, values }) {
  document.getElementById("film").hidden = false;
  const label = given.symbols[parameter];
  document.getElementById("swept").textContent = ` ${label.symbol}${label.index} from ${short(values[0])} to ${short(values.at(-1))}`;
  const button = document.getElementById("play"), told = document.querySelector("#points tbody");
  let timer = null, next = 0;
  const stop = () => {
    clearInterval(timer);
    timer = null;
    button.textContent = "Play";
    told.setAttribute("aria-live", "polite");
  };
  const step = () => {
    change({ [parameter]: values[next] });
    next = (next + 1) % values.length;
    if (next === 0) stop();
  };
  button.addEventListener("click", () => {
    if (timer !== null) return stop();
    told.setAttribute("aria-live", "off"); // sixty announcements would help nobody
    button.textContent = "Pause";
    timer = setInterval(step, given.milliseconds);
  });
}

function readAddress() {
  for (const [name, text] of new URLSearchParams(location.hash.slice(1))) {
    const value = name === "direction" ? text : text === "" ? NaN : Number(text);
    if (name in state && isAllowed(name, value)) state[name] = value;
  }
}

function change(changes) {
  Object.assign(state, changes);
  history.replaceState(null, "", `#${new URLSearchParams(state)}`);
  show();
}

function show() {
  for (const refresh of refreshers) refresh();
  document.getElementById("planes").replaceChildren();
  for (const way of ways()) drawPlane(way);
  tellPoints();
}

for (const [name, label] of Object.entries(given.symbols)) addParameter("variances", name, given.ranges[name], label, true);
addParameter("frame", "kappa_max", given.ranges.kappa_max, { symbol: "κ", index: "max", meaning: ", right edge" }, false);
addDirections();
addKey();
if (given.sweep) addPlay(given.sweep);
document.getElementById("points").hidden = given.points.length === 0;
addEventListener("hashchange", () => {
  readAddress();
  show();
});
readAddress();
show();
