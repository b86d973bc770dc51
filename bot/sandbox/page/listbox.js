// A popup list driven from a text field: focus stays in the field, the arrows
// move the active entry, Enter or Tab takes it, Esc closes.

import { el } from "./dom.js";

export class Listbox {
  constructor(root, input, onChoose) {
    Object.assign(this, { root, input, onChoose, items: [], active: 0 });
    // A press on the list must not take the focus from the field.
    root.addEventListener("mousedown", (event) => event.preventDefault());
    input.addEventListener("blur", () => this.hide());
  }

  get open() {
    return !this.root.hidden;
  }

  /** `render(item)` gives {content: [nodes], data: {}}; `note` is shown when the list is empty. */
  show(items, render, note = "") {
    this.items = items;
    this.active = 0;
    this.root.replaceChildren(
      ...items.map((item, index) => this.#entry(item, index, render)),
      ...(items.length || !note ? [] : [el("div", { class: "popup-note", role: "option", "aria-disabled": "true" }, note)]),
    );
    this.root.hidden = !items.length && !note;
    if (this.open) this.input.setAttribute("aria-controls", this.root.id);
    this.#tellExpanded();
    this.#mark();
  }

  hide() {
    if (!this.open) return;
    this.root.hidden = true;
    this.root.replaceChildren();
    this.items = [];
    this.input.removeAttribute("aria-activedescendant");
    this.input.removeAttribute("aria-controls");
    this.#tellExpanded();
  }

  /** True when the key was used here; the caller then leaves it alone. */
  handleKey(event) {
    if (!this.open || event.isComposing) return false;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") this.hide();
    else if (!this.items.length) return false;
    else if (step) this.#move(step);
    else if ((event.key === "Enter" && !event.shiftKey) || (event.key === "Tab" && !event.shiftKey)) {
      this.#choose(this.active);
    } else return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  }

  /** Only a combobox may say so; the message box is a plain text box. */
  #tellExpanded() {
    if (this.input.getAttribute("role") !== "combobox") return;
    this.input.setAttribute("aria-expanded", String(this.open));
  }

  #entry(item, index, render) {
    const { content, data } = render(item);
    return el(
      "div",
      {
        class: "popup-item",
        role: "option",
        id: `${this.root.id}-${index}`,
        data,
        onclick: () => this.#choose(index),
        onmousemove: () => this.#setActive(index),
      },
      content,
    );
  }

  #choose(index) {
    const item = this.items[index];
    this.hide();
    this.onChoose(item);
  }

  #move(step) {
    this.#setActive((this.active + step + this.items.length) % this.items.length);
    this.root.children[this.active].scrollIntoView({ block: "nearest" });
  }

  #setActive(index) {
    if (index === this.active) return;
    this.active = index;
    this.#mark();
  }

  #mark() {
    [...this.root.children].forEach((node, index) => {
      if (!node.matches(".popup-item")) return;
      node.setAttribute("aria-selected", String(index === this.active));
      if (index === this.active) this.input.setAttribute("aria-activedescendant", node.id);
    });
    if (!this.items.length) this.input.removeAttribute("aria-activedescendant");
  }
}
