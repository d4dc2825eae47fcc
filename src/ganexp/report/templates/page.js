"use strict";

const byId = (id) => document.getElementById(id);

// Tables: a click on a column head sorts; the words in the filter field select rows.

function sortTable(table, head) {
  const descending = head.getAttribute("aria-sort") === "ascending";
  const keyOf = (row) => {
    const cell = row.cells[head.cellIndex];
    return cell.dataset.sort ?? cell.textContent;
  };
  const entries = [...table.tBodies[0].rows].map((row) => ({ key: keyOf(row), row }));
  const numeric = entries.every(({ key }) => key === "" || Number.isFinite(Number(key)));
  entries.sort((first, second) => {
    const [a, b] = [first.key, second.key];
    if (a === "" || b === "") return (a === "") - (b === ""); // missing values stay at the bottom
    const order = numeric ? a - b : a.localeCompare(b, undefined, { numeric: true });
    return descending ? -order : order;
  });
  for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", descending ? "descending" : "ascending");
  table.tBodies[0].append(...entries.map(({ row }) => row));
}

function filterTable(table, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = [...table.tBodies[0].rows];
  let shown = 0;
  for (const row of rows) {
    const content = row.textContent.toLowerCase();
    row.hidden = !words.every((word) => content.includes(word));
    if (!row.hidden) shown += 1;
  }
  const count = document.querySelector(`[data-count="${table.id}"]`);
  count.textContent = shown === rows.length ? count.dataset.all : `${shown} of ${rows.length} rows`;
}

function startTables() {
  for (const table of document.querySelectorAll("table[id]")) {
    for (const head of table.tHead.rows[0].cells) {
      head.querySelector("button").addEventListener("click", () => sortTable(table, head));
    }
    const field = document.querySelector(`[data-filters="${table.id}"]`);
    field.addEventListener("input", () => filterTable(table, field.value));
  }
}

// Samples: all runs at one moment.

function showMoment(moment) {
  byId("moment").selectedIndex = moment;
  byId("moment-slider").value = moment;
  byId("moment-slider").setAttribute("aria-valuetext", byId("moment").value);
  for (const grids of document.querySelectorAll(".grids")) grids.hidden = grids.dataset.moment !== String(moment);
}

function startSamples() {
  if (!byId("moment")) return;
  byId("moment").addEventListener("change", (event) => showMoment(event.target.selectedIndex));
  byId("moment-slider").addEventListener("input", (event) => showMoment(Number(event.target.value)));
}

// Curves. Their data is described in chart.py.

const COLOURS = ["#4c84b8", "#e8862e", "#4fa25a", "#dd5a5c", "#9a74c2", "#9a7058", "#d873ad", "#3aa6a6"];
const DASHES = ["solid", "dash", "dot", "dashdot"]; // of plotly
const SVG_DASHES = { solid: "", dash: "7 4", dot: "2 3", dashdot: "7 3 2 3" }; // the same in the legend
const MAX_LINES = 60; // shown at first

async function unpack(id) {
  const bytes = Uint8Array.from(atob(byId(id).textContent), (char) => char.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).text();
}

function lineStyle(group) {
  return {
    colour: COLOURS[group % COLOURS.length],
    dash: DASHES[Math.floor(group / COLOURS.length) % DASHES.length],
  };
}

// Plotly interprets a few tags in its texts.
function escaped(text) {
  const entities = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };
  return text.replace(/[&<>]/g, (char) => entities[char]);
}

function newTrace({ colour, dash }, markers) {
  return {
    x: [],
    y: [],
    text: [],
    type: "scatter",
    mode: markers ? "lines+markers" : "lines",
    line: { color: colour, dash, width: 1.6 },
    marker: { size: 5 },
    hovertemplate: "%{y:.4~g} at %{x:,}<br>%{text}<extra></extra>",
  };
}

function addPoint(trace, x, y, text) {
  trace.x.push(x);
  trace.y.push(y);
  trace.text.push(text);
}

// All runs of one style share a trace, with a gap after each run: plotly is slow with a thousand traces.
function makeTraces(data, shown, quantity, axis) {
  const traces = new Map();
  data.runs.forEach((run, index) => {
    if (!shown.has(index)) return;
    const style = lineStyle(run.group);
    const key = style.colour + style.dash;
    for (const curve of run.curves) {
      if (!(quantity in curve.values)) continue;
      if (!traces.has(key)) traces.set(key, newTrace(style, data.quantities[quantity].markers));
      const trace = traces.get(key);
      curve.values[quantity].forEach((value, point) => {
        const position = curve.axes[axis][point];
        if (value !== null && position !== null) addPoint(trace, position, value, escaped(run.label));
      });
      addPoint(trace, null, null, "");
    }
  });
  return [...traces.values()];
}

function makeLayout(data, quantity, axis) {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const lines = { gridcolor: colour("--line"), zerolinecolor: colour("--line"), linecolor: colour("--line") };
  return {
    paper_bgcolor: colour("--card"),
    plot_bgcolor: colour("--card"),
    showlegend: false,
    hovermode: "closest",
    font: { family: "system-ui, sans-serif", size: 13, color: colour("--soft") },
    margin: { l: 72, r: 24, t: 24, b: 64 },
    hoverlabel: { bgcolor: colour("--paper"), bordercolor: colour("--line"), font: { color: colour("--ink") } },
    xaxis: { ...lines, title: { text: data.axes[axis] } },
    yaxis: {
      ...lines,
      title: { text: escaped(data.quantities[quantity].name) },
      type: byId("log").checked ? "log" : "linear",
    },
  };
}

function drawCurves(data, shown) {
  const quantity = byId("quantity").value;
  const axis = byId("axis").value;
  const { kind, name } = data.quantities[quantity];
  const label = `${kind} ${name} against ${data.axes[axis]}, ${shown.size} of ${data.runs.length} runs`;
  byId("plot").setAttribute("aria-label", label);
  const config = {
    responsive: true,
    displaylogo: false,
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
  };
  return Plotly.react("plot", makeTraces(data, shown, quantity, axis), makeLayout(data, quantity, axis), config);
}

function makeButton(text, runs, shown, redraw) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(text);
  const isOn = () => runs.some((run) => shown.has(run));
  button.update = () => button.setAttribute("aria-pressed", String(isOn()));
  button.addEventListener("click", () => {
    const change = isOn() ? (run) => shown.delete(run) : (run) => shown.add(run);
    runs.forEach(change);
    redraw();
  });
  return button;
}

function legendLine(group) {
  const { colour, dash } = lineStyle(group);
  const template = document.createElement("template");
  template.innerHTML = `<svg width="26" height="8" aria-hidden="true"><line x1="1" x2="25" y1="4" y2="4"
    stroke="${colour}" stroke-width="3" stroke-dasharray="${SVG_DASHES[dash]}"/></svg>`;
  return template.content;
}

// A row for each group: a button for all its runs, then one for each run. Returns the buttons.
function fillLegend(data, shown, redraw) {
  const buttons = [];
  data.groups.forEach((label, group) => {
    const runs = [...data.runs.keys()].filter((run) => data.runs[run].group === group);
    const groupButton = makeButton(label, runs, shown, redraw);
    groupButton.prepend(legendLine(group));
    const runButtons = runs.map((run) => makeButton(data.runs[run].seed, [run], shown, redraw));
    const row = document.createElement("div");
    row.append(groupButton, ...(runs.length > 1 ? runButtons : []));
    buttons.push(...row.children);
    byId("legend").append(row);
  });
  return buttons;
}

function fillSelect(select, titles) {
  select.replaceChildren(...Object.entries(titles).map(([value, title]) => new Option(title, value)));
}

async function loadPlotly() {
  const script = document.createElement("script");
  script.textContent = await unpack("packed-plotly");
  document.head.append(script);
}

async function startCurves() {
  const data = JSON.parse(await unpack("packed-curves"));
  const quantities = Object.entries(data.quantities);
  if (!quantities.length) {
    byId("plot").textContent = "These runs have logged nothing yet.";
    return;
  }
  await loadPlotly();
  const titles = quantities.map(([key, { kind, name }]) => [key, `${kind}: ${name}`]);
  fillSelect(byId("quantity"), Object.fromEntries(titles));
  fillSelect(byId("axis"), data.axes);
  const shown = new Set([...data.runs.keys()].slice(0, MAX_LINES));
  let buttons = [];
  const redraw = () => {
    for (const button of buttons) button.update();
    return drawCurves(data, shown);
  };
  const chooseScale = () => { byId("log").checked = data.quantities[byId("quantity").value].log; };
  buttons = fillLegend(data, shown, redraw);
  byId("quantity").addEventListener("change", chooseScale);
  for (const id of ["quantity", "axis", "log"]) byId(id).addEventListener("change", redraw);
  byId("show-all").addEventListener("click", () => {
    data.runs.forEach((_, run) => shown.add(run));
    redraw();
  });
  byId("show-none").addEventListener("click", () => {
    shown.clear();
    redraw();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  byId("plot").replaceChildren();
  chooseScale();
  await redraw();
}

startTables();
startSamples();
startCurves();
