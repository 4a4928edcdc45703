"use strict";
// The table is complete without this script, which sorts and filters it and shows the journals.
// Text of tests and tasks is only ever put into textContent.

const data = JSON.parse(document.getElementById("data").textContent);
const table = document.querySelector("#matrix");
const body = table.tBodies[0];
const rows = [...body.rows];
const heads = [...table.tHead.rows[1].cells];
const families = [...table.tHead.rows[0].cells];
const boxes = [...document.querySelectorAll("#filter input[type=checkbox]")];
const search = document.querySelector("#search");
const dialog = document.querySelector("dialog");
const rank = new Map(data.verdicts.map(([verdict], index) => [verdict, index]));
const shown = new Map(data.verdicts);
const FIRST = 2; // columns before those of the faults: the test, and the number of failing cells

const verdictOf = cell => cell.classList[0];
const familyOf = head => head.dataset.family;

// --- Sorting

let sorted = { column: 0, ascending: true };

function sortBy(column) {
  const ascending = sorted.column === column ? !sorted.ascending : column !== 1;
  sorted = { column, ascending };
  const key = row => {
    if (column === 0) return Number(row.dataset.test);
    if (column === 1) return Number(row.cells[1].textContent);
    return rank.get(verdictOf(row.cells[column])) ?? rank.size;
  };
  const direction = ascending ? 1 : -1;
  const order = (a, b) => direction * (key(a) - key(b)) || a.dataset.test - b.dataset.test;
  body.append(...[...rows].sort(order));
  heads.forEach((head, index) => {
    if (index === column) head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    else head.removeAttribute("aria-sort");
  });
}

// --- Filtering

function filter() {
  const wanted = new Set(boxes.filter(box => box.checked).map(box => box.value));
  const text = search.value.trim().toLowerCase();
  const used = heads.map((_, index) => index < FIRST);
  let number = 0;
  for (const row of rows) {
    const named = row.cells[0].textContent.toLowerCase().includes(text);
    let any = false;
    for (let index = FIRST; index < row.cells.length; index++) {
      const cell = row.cells[index];
      const visible = wanted.has(verdictOf(cell));
      cell.classList.toggle("off", !visible);
      if (visible && named) any = used[index] = true;
    }
    row.hidden = !any;
    number += any;
  }
  heads.forEach((head, index) => {
    if (head.hidden !== used[index]) return;
    head.hidden = !used[index];
    for (const row of rows) row.cells[index].hidden = !used[index];
  });
  for (const family of families.filter(familyOf)) {
    const members = heads.filter(head => familyOf(head) === familyOf(family) && !head.hidden);
    family.hidden = members.length === 0;
    family.colSpan = Math.max(1, members.length);
  }
  document.querySelector("#shown").textContent = `${number} of ${rows.length} tests shown`;
  if (!isVisible(current)) makeCurrent(visibleCells(heads)[0]);
}

function choose(verdicts) {
  for (const box of boxes) box.checked = verdicts.has(box.value);
  filter();
}

// --- The keyboard: one cell of the table can be reached with Tab, the others with arrows

let current = null;

const isVisible = cell => cell !== null && !cell.hidden && !cell.parentElement.hidden;
const visibleCells = cells => cells.filter(cell => !cell.hidden);
const focusable = cell => cell.querySelector("button") ?? cell;

function makeCurrent(cell) {
  if (current !== null) focusable(current).tabIndex = -1;
  current = cell;
  focusable(cell).tabIndex = 0;
}

function move(cell) {
  makeCurrent(cell);
  focusable(cell).focus();
  cell.scrollIntoView({ block: "nearest", inline: "nearest" });
}

function neighbour(cell, key, all) {
  const lines = [heads, ...[...body.rows].filter(row => !row.hidden).map(row => [...row.cells])].map(visibleCells);
  let line = lines.findIndex(cells => cells.includes(cell));
  let place = lines[line].indexOf(cell);
  if (key === "ArrowUp") line -= 1;
  if (key === "ArrowDown") line += 1;
  if (key === "PageUp") line -= 10;
  if (key === "PageDown") line += 10;
  if (key === "ArrowLeft") place -= 1;
  if (key === "ArrowRight") place += 1;
  if (key === "Home") { place = 0; if (all) line = 0; }
  if (key === "End") { place = Infinity; if (all) line = Infinity; }
  const cells = lines[Math.min(Math.max(line, 0), lines.length - 1)];
  return cells[Math.min(Math.max(place, 0), cells.length - 1)];
}

const KEYS = new Set(["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "PageUp", "PageDown", "Home", "End"]);

table.addEventListener("keydown", event => {
  const cell = event.target.closest("th, td");
  if (cell === null || event.altKey || event.metaKey) return;
  if (KEYS.has(event.key)) {
    event.preventDefault();
    move(neighbour(cell, event.key, event.ctrlKey));
  } else if ((event.key === "Enter" || event.key === " ") && cell.matches("td")) {
    event.preventDefault();
    openCell(cell);
  }
});

table.addEventListener("click", event => {
  const cell = event.target.closest("th, td");
  if (cell === null) return;
  if (heads.includes(cell)) {
    makeCurrent(cell);
    sortBy(heads.indexOf(cell));
  } else if (cell.matches("td")) {
    makeCurrent(cell);
    openCell(cell);
  }
});

// --- One cell

function openCell(cell) {
  const test = Number(cell.parentElement.dataset.test);
  if (!cell.classList.contains("off")) show(test, cell.cellIndex - FIRST, cell);
}

let opener = null;

function show(test, fault, from) {
  const found = data.cells[test]?.[fault];
  if (!found) return;
  const [verdict, detail, seconds, customer, journal] = found;
  const put = (name, text) => { dialog.querySelector(`#cell-${name}`).textContent = text; };
  put("test", data.tests[test]);
  put("fault", data.faults[fault]);
  put("verdict", shown.get(verdict));
  dialog.querySelector("#cell-verdict").className = `word ${verdict}`;
  put("detail", detail);
  put("seconds", `${seconds.toFixed(3)} s`);
  put("customer", customer);
  for (const each of dialog.querySelectorAll(".customer")) each.hidden = !customer;
  put("journal", journal || "no journal");
  opener = from;
  history.replaceState(null, "", `#cell-${test}-${fault}`);
  if (!dialog.open) dialog.showModal();
  dialog.querySelector("#cell-journal").scrollTop = 0;
}

dialog.addEventListener("close", () => {
  history.replaceState(null, "", location.pathname + location.search);
  if (opener !== null) opener.matches("td") ? move(opener) : opener.focus();
});
dialog.querySelector("#close").addEventListener("click", () => dialog.close());
dialog.addEventListener("click", event => { if (event.target === dialog) dialog.close(); });

function showAddressed() {
  const found = /^#cell-(\d+)-(\d+)$/.exec(location.hash);
  if (found !== null) show(Number(found[1]), Number(found[2]), null);
}

// --- Start

for (const button of document.querySelectorAll("#worst button")) {
  const [test, fault] = button.dataset.cell.split("-").map(Number);
  button.disabled = false;
  button.addEventListener("click", () => show(test, fault, button));
}
for (const box of boxes) box.addEventListener("change", filter);
search.addEventListener("input", filter);
document.querySelector("#only-failing").addEventListener("click", () => choose(new Set(data.failing)));
document.querySelector("#every").addEventListener("click", () => choose(new Set(rank.keys())));
document.querySelector("#filter").hidden = false;
for (const button of table.querySelectorAll("thead button")) { button.disabled = false; button.tabIndex = -1; }
makeCurrent(heads[0]);
filter();
showAddressed();
window.addEventListener("hashchange", showAddressed);
