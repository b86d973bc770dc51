// The slash-command picker: "/" in the message box opens it, a choice opens the form.

import { byId, el } from "./dom.js";
import { localized, t } from "./i18n.js";
import { Listbox } from "./listbox.js";
import { CommandForm } from "./command-form.js";

const SUBCOMMAND = 1;
const GROUP = 2;
const CHAT_INPUT = 1;

const SLASH = /^[/／](.*)$/s;

/** One entry for each thing that can be run: a command, or each of its subcommands. */
export function runnable(commands) {
  const walk = (node, command, parents) => {
    const children = (node.options || []).filter((o) => o.type === SUBCOMMAND || o.type === GROUP);
    if (children.length) {
      return children.flatMap((child) => walk(child, command, [...parents, child]));
    }
    const steps = [command, ...parents];
    return [{
      command: command.name,
      parents: parents.map(({ name, type }) => ({ name, type })),
      path: steps.map((step) => step.name).join(" "),
      label: steps.map((step) => localized(step, "name")).join(" "),
      description: localized(node, "description"),
      options: node.options || [],
    }];
  };
  return commands
    .filter((command) => (command.type ?? CHAT_INPUT) === CHAT_INPUT)
    .flatMap((command) => walk(command, command, []));
}

/** Wrap the leaf options in their subcommand and group, the way Discord nests them. */
export const nest = (entry, leaves) =>
  entry.parents.reduceRight((inner, { name, type }) => [{ name, type, options: inner }], leaves);

export class CommandPicker {
  /** `actions`: {run(entry, options), suggest(entry, options), choices(kind, option), done()}. */
  constructor(input, actions) {
    this.entries = [];
    this.input = input;
    this.list = new Listbox(byId("commands"), input, (entry) => this.#open(entry));
    this.form = new CommandForm(byId("command-form"), {
      choices: actions.choices,
      run: (entry, leaves) => actions.run(entry.command, nest(entry, leaves)),
      suggest: (entry, leaves) => actions.suggest(entry.command, nest(entry, leaves)),
      close: actions.done,
    });
    this.clearInput = actions.clearInput;
  }

  setCommands(commands) {
    this.entries = runnable(commands);
    if (this.list.open) this.update(this.input.value);
  }

  handleKey(event) {
    return this.list.handleKey(event);
  }

  close() {
    this.list.hide();
  }

  reset() {
    this.close();
    this.form.hide();
  }

  update(text) {
    const match = SLASH.exec(text);
    if (!match) return this.list.hide();
    const query = match[1].trim().toLowerCase();
    const found = this.#search(query);
    // "/ and so on" that matches nothing is a message like any other.
    const note = this.entries.length ? t("noCommands") : t("noCommandsAtAll");
    return this.list.show(found, (entry) => this.#entry(entry), note);
  }

  #search(query) {
    const rank = ({ path, label }) => {
      const names = [path.toLowerCase(), label.toLowerCase()];
      if (names.some((name) => name.startsWith(query))) return 0;
      return names.some((name) => name.includes(query)) ? 1 : 2;
    };
    return this.entries
      .map((entry) => ({ entry, rank: rank(entry) }))
      .filter((found) => found.rank < 2)
      .sort((a, b) => a.rank - b.rank || a.entry.label.localeCompare(b.entry.label))
      .map((found) => found.entry);
  }

  #entry(entry) {
    const hints = entry.options.map((option) =>
      el("span", { class: option.required ? "hint required" : "hint" }, localized(option, "name")),
    );
    return {
      content: [
        el("span", { class: "item-name" }, `/${entry.label}`),
        el("span", { class: "hints" }, hints),
        el("span", { class: "item-description" }, entry.description),
      ],
      data: { command: entry.path },
    };
  }

  #open(entry) {
    this.clearInput();
    this.form.show(entry);
  }
}
