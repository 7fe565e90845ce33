"use strict";
// On a narrow page the contents would fill the first screen.
if (matchMedia("(max-width: 63.99rem)").matches) {
  document.querySelector("nav.side details").open = false;
}
// Parts of a large page are held as text, and made when they come into view or are opened.
const build = held => {
  const made = document.createElement("template");
  made.innerHTML = held.textContent.replace(/<\\(\\*\/?script)/g, "<$1");
  const parts = [...made.content.children];
  held.replaceWith(made.content);
  for (const part of parts) prepare(part);
};
const heldIn = part => [...part.children].filter(child => child.matches("script.held"));
const opened = event => { if (event.target.open) heldIn(event.target).forEach(build); };
addEventListener("toggle", opened, true);
const inView = new IntersectionObserver(seen => {
  for (const one of seen) if (one.isIntersecting) {
    inView.unobserve(one.target);
    heldIn(one.target).forEach(build);
  }
}, {rootMargin: "1200px"});
for (const part of document.querySelectorAll("section.board, div.later")) if (heldIn(part).length) inView.observe(part);
// On paper nothing can be opened: of a large page what is closed stays closed.
const closed = [], large = document.querySelector("script.held");
addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("section.board, div.later")) heldIn(part).forEach(build);
  if (large) return;
  for (const part of document.querySelectorAll("details:not([open])")) { part.open = true; closed.push(part); }
});
addEventListener("afterprint", () => { for (const part of closed.splice(0)) part.open = false; });
// A link to what stands in closed parts opens them.
const reveal = () => {
  const id = decodeURIComponent(location.hash.slice(1));
  const target = id && document.getElementById(id);
  for (let part = target; part; part = part.parentElement) {
    if (part.tagName === "DETAILS") part.open = true;
    heldIn(part).forEach(build);
  }
  if (target) target.scrollIntoView();
};
addEventListener("hashchange", reveal);
// Tables of single scores: made when they are opened, fifty rows first.
const named = box => {
  let ready = false;
  const fill = () => {
    if (ready || !box.open) return;
    ready = true;
    const tables = JSON.parse(box.querySelector("script").textContent);
    const [search, pick, status, more] =
      ["input", "select", "[role=status]", "button[type=button]"].map(name => box.querySelector(name));
    const head = box.querySelector("thead"), body = box.querySelector("tbody");
    let sorted = 1, down = false, limit = 50;
    const element = (tag, text, attributes = {}) => {
      const made = document.createElement(tag);
      made.textContent = text;
      for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
      return made;
    };
    const show = value => value === null ? "–" :
      (value !== 0 && Math.abs(value) < 5e-4 ? value.toExponential(1) : value.toFixed(3)).replaceAll("-", "−");
    const draw = () => {
      const table = tables[+pick.value], wanted = search.value.trim().toLowerCase();
      const column = table.values[sorted - 1];
      const rows = table.names.map((_, i) => i).filter(i => table.names[i].toLowerCase().includes(wanted));
      rows.sort((a, b) => {
        if (!sorted) return (down ? -1 : 1) * table.names[a].localeCompare(table.names[b], "en", {numeric: true});
        const [x, y] = [column[a], column[b]];
        return x === null ? (y === null ? 0 : 1) : y === null ? -1 : down ? y - x : x - y;
      });
      head.replaceChildren();
      const top = head.insertRow();
      [table.level, ...table.columns].forEach((name, i) => {
        const cell = element("th", "", {scope: "col", class: i ? "n" : "who"});
        cell.setAttribute("aria-sort", i === sorted ? (down ? "descending" : "ascending") : "none");
        const button = element("button", name, {type: "button"});
        button.addEventListener("click", () => {
          down = i === sorted ? !down : false;
          sorted = i;
          draw();
          head.querySelectorAll("button")[i].focus();
        });
        cell.append(button);
        top.append(cell);
      });
      top.append(element("th", "not defined", {scope: "col"}));
      body.replaceChildren(...rows.slice(0, limit).map(i => {
        const row = element("tr", "");
        row.append(element("th", table.names[i], {scope: "row"}));
        for (const values of table.values) row.append(element("td", show(values[i]), {class: "n"}));
        row.append(element("td", table.missing[i], {class: "low"}));
        return row;
      }));
      const out = table.leftOut ? `; ${table.leftOut} between the best and the worst are left out here` : "";
      status.textContent = `${Math.min(limit, rows.length)} of ${rows.length} shown${out}`;
      more.hidden = rows.length <= limit;
    };
    search.addEventListener("input", () => { limit = 50; draw(); });
    pick.addEventListener("change", () => { sorted = 1; down = false; limit = 50; draw(); });
    more.addEventListener("click", () => { limit += 200; draw(); });
    draw();
  };
  box.addEventListener("toggle", fill);
  fill();
};
const prepare = part => {
  for (const box of part.querySelectorAll("details.named")) named(box);
  if (part.matches("details.named")) named(part);
};
prepare(document.body);
reveal();
