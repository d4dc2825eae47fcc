"use strict";

// The curves; chart.py describes their data.

const COLOURS = ["#4c84b8", "#e8862e", "#4fa25a", "#dd5a5c", "#9a74c2", "#9a7058", "#d873ad", "#3aa6a6"];
const DASHES = ["solid", "dash", "dot", "dashdot"]; // names in plotly
const SVG_DASHES = { solid: "", dash: "7 4", dot: "2 3", dashdot: "7 3 2 3" }; // dash lengths in the legend
const MAX_LINES = 60; // number of runs that are shown at first
const MAX_BANDS = 6; // more bands would cover each other
const PLOT_CONFIG = {
  responsive: true,
  displaylogo: false,
  // The button sendChartToCloud would upload the curves to a server of plotly's makers.
  modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d", "sendChartToCloud"],
};

function lineStyle(configuration) {
  return {
    colour: COLOURS[configuration % COLOURS.length],
    dash: DASHES[Math.floor(configuration / COLOURS.length) % DASHES.length],
  };
}

// Plotly would interpret some tags in a text.
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

// The mean over the shown seeds of a configuration, with the ends of its interval, at each step that at least two of
// these seeds have.
function meanPoints(data, runs, quantity, axis) {
  const bySteps = new Map();
  for (const run of runs) {
    for (const curve of run.curves.filter((each) => quantity in each.values)) {
      curve.values[quantity].forEach((y, point) => {
        const [x, step] = [curve.axes[axis][point], curve.axes.step[point]];
        if (y === null || x === null) return;
        if (!bySteps.has(step)) bySteps.set(step, []);
        bySteps.get(step).push({ x, y });
      });
    }
  }
  const average = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const shared = [...bySteps].filter(([, points]) => points.length > 1).sort(([a], [b]) => a - b);
  return shared.map(([, points]) => {
    const [n, y] = [points.length, average(points.map((point) => point.y))];
    const variance = points.reduce((sum, point) => sum + (point.y - y) ** 2, 0) / (n - 1);
    const half = data.t[n] * Math.sqrt(variance / n);
    const least = Math.min(...points.map((point) => point.y));
    const low = byId("log").checked ? Math.max(y - half, least / 2) : y - half; // a logarithmic axis has no zero
    return { x: average(points.map((point) => point.x)), y, low, high: y + half };
  });
}

function makeMeans(data, shown, quantity, axis) {
  const means = data.configurations.map((label, configuration) => {
    const runs = data.runs.filter((run, index) => run.configuration === configuration && run.counts && shown.has(index));
    return { label, configuration, points: meanPoints(data, runs, quantity, axis) };
  }).filter(({ points }) => points.length);
  return means.flatMap(({ label, configuration, points }) => {
    const { colour, dash } = lineStyle(configuration);
    const x = points.map((point) => point.x);
    const outline = { type: "scatter", mode: "lines", fill: "toself", fillcolor: `${colour}33`, line: { width: 0 } };
    const ends = [...points.map((point) => point.high), ...points.map((point) => point.low).reverse()];
    const hovertemplate = "%{y:.4~g} at %{x:,}<br>%{text}<extra></extra>";
    const text = points.map(() => `mean of ${escaped(label)}`);
    const line = { color: colour, dash, width: 3 };
    const band = { ...outline, x: [...x, ...[...x].reverse()], y: ends, hoverinfo: "skip" };
    const mean = { type: "scatter", mode: "lines", x, y: points.map((point) => point.y), text, line, hovertemplate };
    return means.length > MAX_BANDS ? [mean] : [band, mean];
  });
}

// All runs of one style share a trace, with a gap after each run, because plotly is slow with a thousand traces.
function makeTraces(data, shown, quantity, axis) {
  const traces = new Map();
  data.runs.forEach((run, index) => {
    if (!shown.has(index)) return;
    const style = lineStyle(run.configuration);
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

// The scores of real images as horizontal lines from the first to the last point of the other lines.
function makeBaselines(data, quantity, traces) {
  const positions = traces.flatMap((trace) => trace.x).filter((x) => x !== null);
  if (!positions.length) return [];
  const ends = [Math.min(...positions), Math.max(...positions)];
  const colour = getComputedStyle(document.documentElement).getPropertyValue("--ink").trim();
  return data.quantities[quantity].baselines.map(({ title, value }) => ({
    type: "scatter",
    mode: "lines+text",
    x: ends,
    y: [value, value],
    text: ["", escaped(title)],
    textposition: "top left",
    cliponaxis: false,
    line: { color: colour, dash: "dot", width: 1.5 },
    hovertemplate: `%{y:.4~g}<br>${escaped(title)}<extra></extra>`,
  }));
}

function makeLayout(xTitle, yTitle) {
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
    xaxis: { ...lines, title: { text: xTitle, standoff: 12 } },
    yaxis: { ...lines, title: { text: yTitle, standoff: 12 } },
  };
}

function drawCurves(data, shown) {
  const quantity = byId("quantity").value;
  const axis = byId("axis").value;
  const { kind, name } = data.quantities[quantity];
  const label = `${kind} ${name} against ${data.axes[axis]}, ${shown.size} of ${data.runs.length} runs`;
  byId("plot").setAttribute("aria-label", label);
  const traces = makeTraces(data, shown, quantity, axis);
  if (byId("mean").checked) {
    for (const trace of traces) Object.assign(trace, { opacity: 0.45, mode: "lines" });
    traces.push(...makeMeans(data, shown, quantity, axis));
  }
  traces.push(...makeBaselines(data, quantity, traces));
  const layout = makeLayout(data.axes[axis], escaped(name));
  layout.yaxis.type = byId("log").checked ? "log" : "linear";
  if (byId("log").checked) Object.assign(layout.yaxis, { tickformat: "~g", nticks: 4 }); // else plotly shows 50 as 5
  return Plotly.react("plot", traces, layout, PLOT_CONFIG);
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

function legendLine(configuration) {
  const { colour, dash } = lineStyle(configuration);
  const template = document.createElement("template");
  template.innerHTML = `<svg width="26" height="8" aria-hidden="true"><line x1="1" x2="25" y1="4" y2="4"
    stroke="${colour}" stroke-width="3" stroke-dasharray="${SVG_DASHES[dash]}"/></svg>`;
  return template.content;
}

// A row for each configuration: a button for all its runs, then one for each run. Returns the buttons.
function fillLegend(data, shown, redraw) {
  const buttons = [];
  data.configurations.forEach((label, configuration) => {
    const runs = [...data.runs.keys()].filter((run) => data.runs[run].configuration === configuration);
    const configurationButton = makeButton(label, runs, shown, redraw);
    configurationButton.prepend(legendLine(configuration));
    const runButtons = runs.map((run) => makeButton(data.runs[run].seed, [run], shown, redraw));
    const row = document.createElement("div");
    row.append(configurationButton, ...(runs.length > 1 ? runButtons : []));
    buttons.push(...row.children);
    byId("legend").append(row);
  });
  return buttons;
}

function fillSelect(select, titles) {
  select.replaceChildren(...Object.entries(titles).map(([value, title]) => new Option(title, value)));
}

async function startCurves(data) {
  const quantities = Object.entries(data.quantities);
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
  for (const id of ["quantity", "axis", "log", "mean"]) byId(id).addEventListener("change", redraw);
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
  byId("mean").checked = data.t.length > 2;
  chooseScale();
  await redraw();
}
