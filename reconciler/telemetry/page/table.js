// A table of facts: sorted by any column, a page of it at a time, and changed only where a fact has changed.

import { announce, element, show } from "./dom.js";
import { number } from "./words.js";

const ROWS = 100;
const collator = new Intl.Collator("en", { numeric: true });

let tables = 0;

export class Table {
  // `columns`: {label, cell: row → parts, by: row → number or text to sort by, numeric}. The first column names the
  // row. `key`: row → text. `nothing` is said where there are no rows.
  constructor(place, { caption, columns, key, nothing, most = ROWS }) {
    this.columns = columns;
    this.key = key;
    this.caption = caption;
    this.most = most;
    this.rows = [];
    this.first = 0;
    this.sorted = { column: null, descending: false };
    this.drawn = new Map();
    place.append(...this.frame(caption, nothing));
  }

  frame(caption, nothing) {
    const id = `table-${(tables += 1)}`;
    this.heads = this.columns.map((column, index) => this.head(column, index));
    this.body = element("tbody", { role: "rowgroup" });
    // Roles in words: a narrow screen shows rows as blocks, and browsers would forget that this is a table.
    this.table = element(
      "table",
      { role: "table", "aria-labelledby": id },
      // The heading above says the same to those who see it.
      element("caption", { id, class: "unseen" }, caption),
      element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, this.heads)),
      this.body,
    );
    this.nothing = element("p", { class: "nothing" }, nothing);
    this.earlier = this.turn("Previous", -1);
    this.later = this.turn("Next", 1);
    this.range = element("span", { class: "range" });
    this.pager = element("div", { class: "pager", role: "group", "aria-label": `Pages: ${caption}` });
    this.pager.append(this.earlier, this.range, this.later);
    return [this.table, this.nothing, this.pager];
  }

  head({ label, by, numeric }, index) {
    const attributes = { role: "columnheader", scope: "col", class: numeric ? "numeric" : null };
    if (!by) {
      return element("th", attributes, label);
    }
    const button = element("button", { type: "button" }, label);
    button.addEventListener("click", () => this.sortBy(index));
    return element("th", attributes, button);
  }

  turn(label, step) {
    const button = element("button", { type: "button" }, label);
    button.addEventListener("click", () => {
      // Not `disabled`: the button would lose the focus on the last page.
      if (button.getAttribute("aria-disabled") !== "true") {
        this.first += step * this.most;
        this.draw();
        announce(`${this.caption}: ${this.range.textContent}`);
      }
    });
    return button;
  }

  sortBy(index) {
    const descending = this.sorted.column === index && !this.sorted.descending;
    this.sorted = { column: index, descending };
    this.first = 0;
    this.heads.forEach((head, at) => {
      head.removeAttribute("aria-sort");
      if (at === index) {
        head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      }
    });
    this.arrange();
    this.draw();
  }

  // `begin`: with the first page again, as after another filter.
  fill(rows, { begin = false } = {}) {
    this.given = rows;
    this.first = begin ? 0 : this.first;
    this.arrange();
    this.draw();
  }

  arrange() {
    const { column, descending } = this.sorted;
    if (column === null) {
      this.rows = this.given;
      return;
    }
    const by = this.columns[column].by;
    const turned = descending ? -1 : 1;
    const keyed = this.given.map((row) => [by(row), row]);
    keyed.sort(([one], [other]) => turned * compared(one, other));
    this.rows = keyed.map(([, row]) => row);
  }

  draw() {
    const total = this.rows.length;
    this.first = Math.max(0, Math.min(this.first, Math.floor((total - 1) / this.most) * this.most));
    const page = this.rows.slice(this.first, this.first + this.most);
    this.drawRows(page);
    this.table.hidden = total === 0;
    this.nothing.hidden = total > 0;
    this.pager.hidden = total <= this.most;
    show(this.range, [`${number(this.first + 1)} to ${number(this.first + page.length)} of ${number(total)}`]);
    this.earlier.setAttribute("aria-disabled", String(this.first === 0));
    this.later.setAttribute("aria-disabled", String(this.first + this.most >= total));
  }

  drawRows(page) {
    const before = this.drawn;
    this.drawn = new Map();
    let previous = null;
    for (const row of page) {
      const key = this.key(row);
      const line = before.get(key) ?? this.line();
      before.delete(key);
      this.drawn.set(key, line);
      this.columns.forEach((column, index) => show(line.children[index].firstChild, column.cell(row)));
      const place = previous ? previous.nextSibling : this.body.firstChild;
      if (place !== line) {
        this.body.insertBefore(line, place);
      }
      previous = line;
    }
    for (const line of before.values()) {
      line.remove();
    }
  }

  line() {
    const cells = this.columns.map(({ label, numeric }, index) => {
      const attributes = { "data-label": label, class: numeric ? "numeric" : null };
      return index === 0
        ? element("th", { ...attributes, role: "rowheader", scope: "row" }, element("div"))
        : element("td", { ...attributes, role: "cell" }, element("div"));
    });
    return element("tr", { role: "row" }, cells);
  }
}

function compared(one, other) {
  return typeof one === "number" && typeof other === "number" ? one - other : collator.compare(one, other);
}
