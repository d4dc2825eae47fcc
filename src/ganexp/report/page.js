"use strict";

const byId = (id) => document.getElementById(id);

// Tables: a click on a head sorts, words in the field filter.

function sortBy(table, head) {
  const down = head.getAttribute("aria-sort") === "ascending";
  const key = (row) => row.cells[head.cellIndex].dataset.sort ?? row.cells[head.cellIndex].textContent;
  const rows = [...table.tBodies[0].rows].map((row) => [key(row), row]);
  const numeric = rows.every(([text]) => text === "" || Number.isFinite(Number(text)));
  rows.sort(([a], [b]) => {
    if (a === "" || b === "") return (a === "") - (b === ""); // what is not known stays below
    const order = numeric ? a - b : a.localeCompare(b, undefined, { numeric: true });
    return down ? -order : order;
  });
  for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  table.tBodies[0].append(...rows.map(([, row]) => row));
}

function filter(table, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = [...table.tBodies[0].rows];
  let shown = 0;
  for (const row of rows) {
    const content = row.textContent.toLowerCase();
    row.hidden = !words.every((word) => content.includes(word));
    shown += !row.hidden;
  }
  const count = document.querySelector(`[data-count="${table.id}"]`);
  count.textContent = shown === rows.length ? count.dataset.all : `${shown} of ${rows.length} rows`;
}

for (const table of document.querySelectorAll("table[id]")) {
  for (const head of table.tHead.rows[0].cells) {
    head.querySelector("button").addEventListener("click", () => sortBy(table, head));
  }
  const field = document.querySelector(`[data-filters="${table.id}"]`);
  field.addEventListener("input", () => filter(table, field.value));
}

// Samples: one moment of all runs at a time.

function show(moment) {
  byId("moment").selectedIndex = moment;
  byId("walk").value = moment;
  byId("walk").setAttribute("aria-valuetext", byId("moment").value);
  for (const grids of document.querySelectorAll(".grids")) grids.hidden = grids.dataset.moment !== String(moment);
}

if (byId("moment")) {
  byId("moment").addEventListener("change", (event) => show(event.target.selectedIndex));
  byId("walk").addEventListener("input", (event) => show(Number(event.target.value)));
}

// Curves.

const COLOURS = ["#4c84b8", "#e8862e", "#4fa25a", "#dd5a5c", "#9a74c2", "#9a7058", "#d873ad", "#3aa6a6"];
const DASHES = ["solid", "dash", "dot", "dashdot"];
const STROKES = { solid: "", dash: "7 4", dot: "2 3", dashdot: "7 3 2 3" };
const AXES = { step: "step", images: "real images seen", seconds: "seconds of training", d_steps: "discriminator updates" };
const MOST = 60; // lines shown at first

async function unpack(id) {
  const bytes = Uint8Array.from(atob(byId(id).textContent), (char) => char.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).text();
}

const style = (group) => ({
  colour: COLOURS[group % COLOURS.length],
  dash: DASHES[Math.floor(group / COLOURS.length) % DASHES.length],
});

function traces(data, shown, quantity, axis) {
  const found = new Map(); // a trace a style: gaps part the runs, so that a thousand lines stay quick
  data.runs.forEach((run, index) => {
    if (!shown.has(index)) return;
    for (const curve of run.curves.filter((each) => quantity in each.values)) {
      const { colour, dash } = style(run.group);
      if (!found.has(colour + dash)) {
        found.set(colour + dash, {
          x: [], y: [], text: [], mode: quantity.startsWith("loss/") ? "lines" : "lines+markers", type: "scatter",
          line: { color: colour, dash, width: 1.6 }, marker: { size: 5 }, hovertemplate: "%{y:.4~g} at %{x:,}<br>%{text}<extra></extra>",
        });
      }
      const trace = found.get(colour + dash);
      curve.values[quantity].forEach((value, point) => {
        if (value === null || curve.axes[axis][point] === null) return;
        trace.x.push(curve.axes[axis][point]);
        trace.y.push(value);
        trace.text.push(escaped(run.label));
      });
      trace.x.push(null);
      trace.y.push(null);
      trace.text.push("");
    }
  });
  return [...found.values()];
}

const escaped = (text) => text.replace(/[&<>]/g, (char) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[char]);

function draw(data, shown) {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const quantity = byId("quantity").value, axis = byId("axis").value;
  const lines = { gridcolor: colour("--line"), zerolinecolor: colour("--line"), linecolor: colour("--line") };
  const layout = {
    paper_bgcolor: colour("--card"), plot_bgcolor: colour("--card"), showlegend: false, hovermode: "closest",
    font: { family: "system-ui, sans-serif", size: 13, color: colour("--soft") },
    margin: { l: 72, r: 24, t: 24, b: 64 },
    hoverlabel: { bgcolor: colour("--paper"), bordercolor: colour("--line"), font: { color: colour("--ink") } },
    xaxis: { ...lines, title: { text: AXES[axis] } },
    yaxis: { ...lines, title: { text: escaped(quantity.replace(/^(score|loss)\//, "")) }, type: byId("log").checked ? "log" : "linear" },
  };
  byId("plot").setAttribute("aria-label", `${quantity} against ${AXES[axis]}, ${shown.size} of ${data.runs.length} runs`);
  const config = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] };
  return Plotly.react("plot", traces(data, shown, quantity, axis), layout, config);
}

function toggle(text, runs, shown, redraw, group) {
  const button = document.createElement("button");
  button.type = "button";
  if (group !== undefined) {
    const { colour, dash } = style(group);
    button.innerHTML = `<svg width="26" height="8" aria-hidden="true"><line x1="1" x2="25" y1="4" y2="4" stroke="${colour}" stroke-width="3" stroke-dasharray="${STROKES[dash]}"/></svg>`;
  }
  button.append(text);
  button.update = () => button.setAttribute("aria-pressed", String(runs.some((run) => shown.has(run))));
  button.addEventListener("click", () => {
    const on = !runs.some((run) => shown.has(run));
    for (const run of runs) on ? shown.add(run) : shown.delete(run);
    redraw();
  });
  return button;
}

function options(select, names, title) {
  select.replaceChildren(...names.map((name) => new Option(title(name), name)));
}

async function curves() {
  const data = JSON.parse(await unpack("packed-curves"));
  const script = document.createElement("script");
  script.textContent = await unpack("packed-plotly");
  document.head.append(script);
  const counts = new Map();
  for (const name of data.runs.flatMap((run) => run.curves.flatMap((curve) => Object.keys(curve.values)))) {
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  if (!counts.size) {
    byId("plot").textContent = "These runs have logged nothing yet.";
    return;
  }
  const kind = (name) => (name.startsWith("score/fid") ? 0 : name.startsWith("score/") ? 1 : name.startsWith("loss/") ? 2 : 3);
  const order = (a, b) => kind(a) - kind(b) || counts.get(b) - counts.get(a) || a.localeCompare(b);
  options(byId("quantity"), [...counts.keys()].sort(order), (name) => name.replace("/", ": "));
  options(byId("axis"), data.axes, (name) => AXES[name]);
  const shown = new Set([...data.runs.keys()].slice(0, MOST));
  const buttons = [];
  const redraw = () => {
    for (const button of buttons) button.update();
    return draw(data, shown);
  };
  data.groups.forEach((label, group) => {
    const runs = [...data.runs.keys()].filter((run) => data.runs[run].group === group);
    const row = document.createElement("div");
    row.append(toggle(label, runs, shown, redraw, group));
    if (runs.length > 1) row.append(...runs.map((run) => toggle(data.runs[run].seed, [run], shown, redraw)));
    buttons.push(...row.children);
    byId("legend").append(row);
  });
  byId("all").addEventListener("click", () => { data.runs.forEach((_, run) => shown.add(run)); redraw(); });
  byId("none").addEventListener("click", () => { shown.clear(); redraw(); });
  for (const id of ["quantity", "axis", "log"]) byId(id).addEventListener("change", redraw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  byId("plot").replaceChildren();
  await redraw();
}

curves();
