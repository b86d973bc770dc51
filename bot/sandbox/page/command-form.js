// The form of one command: a field for each option, Run and Cancel.

import { el, icon } from "./dom.js";
import { localized, t } from "./i18n.js";
import { Listbox } from "./listbox.js";

const INTEGER = 4;
const BOOLEAN = 5;
const USER = 6;
const CHANNEL = 7;
const MENTIONABLE = 9;
const NUMBER = 10;
const SUGGEST_AFTER_MS = 250;

const isNumeric = (option) => option.type === INTEGER || option.type === NUMBER;

/** The text of a field as the JSON value of its option; null when it is not one. */
function parse(option, text) {
  if (option.type === BOOLEAN) return text === "true";
  if (!isNumeric(option)) return text;
  const number = Number(text);
  const valid = text.trim() !== "" && Number.isFinite(number) && (option.type === NUMBER || Number.isInteger(number));
  return valid ? number : null;
}

function selectField(option, items) {
  const first = option.required
    ? el("option", { value: "", disabled: true, selected: true }, t("choose"))
    : el("option", { value: "" }, t("notSet"));
  return el("select", {}, first, items.map(([label, value]) => el("option", { value: String(value) }, label)));
}

function textField(option) {
  if (isNumeric(option) && !option.autocomplete) {
    return el("input", {
      type: "number",
      step: option.type === INTEGER ? "1" : "any",
      min: option.min_value,
      max: option.max_value,
    });
  }
  return el("input", {
    type: "text",
    inputmode: isNumeric(option) ? "decimal" : null,
    minlength: option.min_length,
    maxlength: option.max_length,
  });
}

export class CommandForm {
  /** `actions`: {run(entry, leaves), suggest(entry, leaves), choices(kind, option), close()}. */
  constructor(root, actions) {
    Object.assign(this, { root, actions, entry: null, fields: [] });
    root.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#run();
    });
    root.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || event.isComposing) return;
      event.preventDefault();
      this.#cancel();
    });
  }

  show(entry) {
    this.entry = entry;
    this.fields = entry.options.map((option) => this.#field(option));
    const title = el("h2", { id: "command-title" }, `/${entry.label}`);
    this.root.setAttribute("aria-labelledby", title.id);
    this.root.dataset.form = entry.path;
    this.runButton = el("button", { id: "run-command", class: "primary", type: "submit", "data-testid": "run-command" }, t("run"));
    this.root.replaceChildren(
      el("div", { class: "form-head" }, title,
        el("button", { class: "icon-button small", type: "button", "data-testid": "cancel-command",
          "aria-label": t("cancel"), title: t("cancel"), onclick: () => this.#cancel() }, icon("close"))),
      el("p", { class: "form-description" }, entry.description),
      el("div", { class: "fields" }, this.fields.map((field) => field.node)),
      el("div", { class: "form-foot" }, this.runButton),
    );
    this.root.hidden = false;
    (this.fields[0]?.control ?? this.runButton).focus();
  }

  hide() {
    this.root.hidden = true;
    this.entry = null;
  }

  #cancel() {
    this.hide();
    this.actions.close();
  }

  async #run() {
    const leaves = this.#leaves();
    if (!leaves || this.runButton.disabled) return;
    this.runButton.disabled = true;
    try {
      await this.actions.run(this.entry, leaves);
      this.#cancel();
    } catch {
      // The error is on the page; the filled-in form stays for another try.
      this.runButton.disabled = false;
    }
  }

  /** The options that are filled in, or null after pointing at a wrong one. */
  #leaves() {
    const leaves = [];
    for (const { option, control, picked } of this.fields) {
      const text = control.value;
      if (text === "") continue;
      const chosen = picked();
      const value = chosen ? chosen.value : parse(option, text);
      if (value === null) {
        control.setCustomValidity(t(option.type === INTEGER ? "needInteger" : "needNumber"));
        control.reportValidity();
        return null;
      }
      leaves.push({ name: option.name, type: option.type, value });
    }
    return leaves;
  }

  #control(option) {
    if (option.choices?.length) {
      return selectField(option, option.choices.map((choice) => [localized(choice, "name"), choice.value]));
    }
    if (option.type === BOOLEAN) return selectField(option, [[t("yes"), true], [t("no"), false]]);
    if (option.type === USER || option.type === MENTIONABLE) {
      return selectField(option, this.actions.choices("user", option));
    }
    if (option.type === CHANNEL) return selectField(option, this.actions.choices("channel", option));
    return textField(option);
  }

  #field(option) {
    const control = this.#control(option);
    const id = `option-${option.name}`;
    control.id = id;
    control.dataset.option = option.name;
    control.autocomplete = "off";
    control.required = Boolean(option.required);
    control.setAttribute("aria-describedby", `${id}-about`);
    control.addEventListener("input", () => control.setCustomValidity(""));
    const label = el("label", { for: id }, localized(option, "name"),
      el("span", { class: option.required ? "mark required" : "mark" }, t(option.required ? "required" : "optional")));
    const about = el("p", { class: "field-about", id: `${id}-about` }, localized(option, "description"));
    const node = el("div", { class: "field" }, label, control, about);
    const picked = option.autocomplete ? this.#autocomplete(option, control, node) : () => null;
    return { option, control, node, picked };
  }

  /** Suggestions from the bot while one types; returns what tells the taken suggestion. */
  #autocomplete(option, control, node) {
    const root = el("div", { class: "suggestions", role: "listbox", id: `${control.id}-list`, hidden: true,
      "data-testid": "suggestions", "aria-label": t("suggestions", { name: localized(option, "name") }) });
    control.after(root);
    control.setAttribute("role", "combobox");
    control.setAttribute("aria-autocomplete", "list");
    control.setAttribute("aria-expanded", "false");
    let taken = null;
    let latest = 0;
    let timer;
    const list = new Listbox(root, control, (choice) => {
      taken = choice;
      control.value = choice.name;
    });
    const ask = async () => {
      const turn = ++latest;
      const choices = await this.actions.suggest(this.entry, this.#partial(option)).catch(() => []);
      // An answer to an older text, or to a field that was left, is of no use.
      if (turn !== latest || document.activeElement !== control) return;
      list.show(choices, (choice) => ({
        content: [localized(choice, "name")],
        data: { value: String(choice.value) },
      }));
      root.scrollIntoView({ block: "nearest" });
    };
    const later = () => {
      clearTimeout(timer);
      timer = setTimeout(ask, SUGGEST_AFTER_MS);
    };
    control.addEventListener("input", () => {
      taken = null;
      later();
    });
    control.addEventListener("focus", later);
    control.addEventListener("keydown", (event) => list.handleKey(event));
    return () => (taken && taken.name === control.value ? taken : null);
  }

  /** What is typed so far, with the asking option marked; unfinished numbers stay text. */
  #partial(asking) {
    return this.fields
      .filter(({ option, control }) => option === asking || control.value !== "")
      .map(({ option, control, picked }) => {
        const { name, type } = option;
        if (option === asking) return { name, type, value: control.value, focused: true };
        return { name, type, value: picked()?.value ?? parse(option, control.value) ?? control.value };
      });
  }
}
