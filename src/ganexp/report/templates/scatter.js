"use strict";

// The plot of precision against recall, with a marker for each run; precision_recall.py describes its data.

const SYMBOLS = { circle: "●", square: "■", diamond: "◆", "triangle-up": "▲" }; // names in plotly, signs in the key

function markerStyle(configuration) {
  const names = Object.keys(SYMBOLS);
  return { color: COLOURS[configuration % COLOURS.length], symbol: names[Math.floor(configuration / COLOURS.length) % names.length] };
}

// The range of an axis: around the values, hardly beyond 0 and 1, and wide enough that noise does not look large.
function markerRange(values) {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const half = Math.max(0.1, 0.7 * (most - least));
  const middle = (least + most) / 2;
  return [Math.max(-0.02, middle - half), Math.min(1.02, middle + half)];
}

function drawScatter(data) {
  const { title, points } = data.scatters[byId("scatter-choice").selectedIndex];
  const configurations = [...new Set(points.map((point) => point.configuration))];
  const traces = configurations.map((configuration) => {
    const own = points.filter((point) => point.configuration === configuration);
    return {
      type: "scatter",
      mode: "markers",
      x: own.map((point) => point.recall),
      y: own.map((point) => point.precision),
      text: own.map((point) => `${escaped(point.label)}<br>${escaped(data.configurations[configuration])}`),
      marker: { ...markerStyle(configuration), size: 10, opacity: 0.85 },
      hovertemplate: "precision %{y:.3f}, recall %{x:.3f}<br>%{text}<extra></extra>",
    };
  });
  byId("scatter-key").replaceChildren(...configurations.map((configuration) => {
    const [item, mark] = [document.createElement("li"), document.createElement("span")];
    mark.textContent = `${SYMBOLS[markerStyle(configuration).symbol]} `;
    mark.style.color = markerStyle(configuration).color;
    item.append(mark, data.configurations[configuration]);
    return item;
  }));
  byId("scatter").setAttribute("aria-label", `Precision against recall: ${title}, ${points.length} runs`);
  const layout = makeLayout("recall", "precision");
  Object.assign(layout.xaxis, { range: markerRange(points.map((point) => point.recall)), zeroline: false });
  Object.assign(layout.yaxis, { range: markerRange(points.map((point) => point.precision)), zeroline: false });
  return Plotly.react("scatter", traces, layout, PLOT_CONFIG);
}

function startScatter(data) {
  const choice = byId("scatter-choice");
  choice.replaceChildren(...data.scatters.map(({ title }) => new Option(title)));
  choice.addEventListener("change", () => drawScatter(data));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawScatter(data));
  byId("scatter").replaceChildren();
  return drawScatter(data);
}
