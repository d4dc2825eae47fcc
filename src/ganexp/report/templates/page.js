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
    field?.addEventListener("input", () => filterTable(table, field.value));
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

// Pictures: a click or Enter enlarges a picture. Esc closes the large picture; the focus returns to the small picture.

function startPictures() {
  const dialog = byId("enlarged");
  for (const button of document.querySelectorAll("button.enlarge")) {
    button.addEventListener("click", () => {
      const image = button.querySelector("img");
      dialog.querySelector("img").src = image.src;
      dialog.querySelector("img").alt = image.alt;
      dialog.querySelector("p").textContent = image.alt;
      dialog.showModal();
    });
  }
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
}

// Plots, with plotly.

async function unpack(id) {
  const bytes = Uint8Array.from(atob(byId(id).textContent), (char) => char.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).text();
}

async function loadPlotly() {
  const script = document.createElement("script");
  script.textContent = await unpack("packed-plotly");
  document.head.append(script);
}

async function startPlots() {
  const data = JSON.parse(await unpack("packed-curves"));
  const hasCurves = Object.keys(data.quantities).length > 0;
  if (!hasCurves) byId("plot").textContent = "These runs have logged nothing yet.";
  if (hasCurves || data.scatters.length) await loadPlotly();
  if (hasCurves) await startCurves(data);
  if (data.scatters.length) await startScatter(data);
}

startTables();
startSamples();
startPictures();
startPlots();
