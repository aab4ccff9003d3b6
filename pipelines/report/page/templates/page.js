"use strict";
const SPECS = JSON.parse(document.getElementById("figure-specs").textContent);
const CONFIG = {
  background: "transparent",
  font: "system-ui, 'Segoe UI', Roboto, sans-serif",
  view: { stroke: "var(--line)" },
  axis: { labelColor: "var(--soft)", titleColor: "var(--text)", gridColor: "var(--line)", domainColor: "var(--soft)",
          tickColor: "var(--soft)", labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal", gridOpacity: 0.6 },
  legend: { labelColor: "var(--text)", titleColor: "var(--text)", labelFontSize: 12, titleFontWeight: "normal",
            orient: "top", labelLimit: 260, columns: 3 },
  header: { labelColor: "var(--text)", titleColor: "var(--text)" },
  text: { color: "var(--text)", fontSize: 12 },
  rule: { color: "var(--soft)" },
  range: { category: [0, 1, 2, 3, 4, 5, 6, 7].map((index) => `var(--c${index})`) },
};

const hidden = new Set();
const filters = document.querySelector(".filters");

function shownRows(rows) {
  return rows.filter((row) => !hidden.has(row[filters.dataset.field]));
}

function shownSpec(part) {
  if (!filters || hidden.size === 0 || typeof part !== "object" || part === null) return part;
  if (Array.isArray(part)) return part.map(shownSpec);
  const copy = {};
  for (const [name, value] of Object.entries(part)) {
    if (name === "datasets") {
      copy[name] = Object.fromEntries(Object.entries(value).map(([id, rows]) => [id, shownRows(rows)]));
    } else if (name === "data" && value && Array.isArray(value.values)) {
      copy[name] = { ...value, values: shownRows(value.values) };
    } else {
      copy[name] = shownSpec(value);
    }
  }
  return copy;
}

function drawFigure(node) {
  const spec = shownSpec(SPECS[node.dataset.figure]);
  const options = { renderer: "svg", actions: false, config: CONFIG };
  vegaEmbed(node, spec, options).then(() => node.setAttribute("data-drawn", "true")).catch((error) => {
    node.textContent = "This figure could not be drawn.";
    console.error(node.dataset.figure, error);
  });
}

function cellValue(row, column) {
  const cell = row.cells[column];
  return cell.dataset.value === undefined ? cell.textContent.trim() : Number(cell.dataset.value);
}

function sortTable(header, column) {
  const body = header.closest("table").tBodies[0];
  const isAscending = header.getAttribute("aria-sort") !== "ascending";
  for (const other of header.parentNode.cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", isAscending ? "ascending" : "descending");
  const rows = Array.from(body.rows);
  const isMissing = (value) => header.classList.contains("number") && typeof value === "string";
  rows.sort((first, second) => {
    const [a, b] = [cellValue(first, column), cellValue(second, column)];
    if (isMissing(a) || isMissing(b)) return Number(isMissing(a)) - Number(isMissing(b));
    const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
    return isAscending ? order : -order;
  });
  body.append(...rows);
}

for (const header of document.querySelectorAll("thead th")) {
  header.querySelector("button").addEventListener("click", () => sortTable(header, header.cellIndex));
}

function filterTable(block) {
  const search = block.querySelector("input[type=search]");
  const asked = search ? search.value.trim().toLowerCase() : "";
  const names = Array.from(block.querySelectorAll("thead th"), (header) => header.textContent.trim());
  const column = filters ? names.indexOf(filters.dataset.field) : -1;
  for (const row of block.querySelectorAll("tbody tr")) {
    const isFound = !search || row.cells[search.dataset.column].textContent.toLowerCase().includes(asked);
    row.hidden = !isFound || (column >= 0 && hidden.has(row.cells[column].textContent.trim()));
  }
}

for (const input of document.querySelectorAll("input[type=search]")) {
  input.addEventListener("input", () => filterTable(input.closest(".table")));
}

function applyFilters() {
  hidden.clear();
  for (const box of filters.querySelectorAll("input")) if (!box.checked) hidden.add(box.value);
  document.querySelectorAll(".table").forEach(filterTable);
  document.querySelectorAll(".chart").forEach(drawFigure);
}

if (filters) {
  filters.addEventListener("change", applyFilters);
  for (const button of filters.querySelectorAll("button")) {
    button.addEventListener("click", () => {
      for (const box of filters.querySelectorAll("input")) box.checked = Boolean(button.dataset.all);
      applyFilters();
    });
  }
}
for (const node of document.querySelectorAll(".chart")) drawFigure(node);
