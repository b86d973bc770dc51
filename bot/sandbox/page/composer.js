// The message box: mentions, replies, names of files and stickers, drafts.

import { avatar, byId, el, icon } from "./dom.js";
import { t } from "./i18n.js";
import { Listbox } from "./listbox.js";
import { dropMention, hasMention, toWire } from "./text.js";

const MENTION_BEFORE_CARET = /(?:^|[^A-Za-z0-9_.])[@＠]([^\s@＠]{0,32})$/;
const CAT_WORDS = ["cat", "neko", "ねこ", "ネコ", "猫"];
const STICKERS = ["sleepy cat", "fish", "paw"];
const MAX_HEIGHT_PX = 180;

export class Composer {
  /** `people` as in messages.js; `onSend(payload)` must reject when the message did not go out. */
  constructor({ people, picker, onSend, onEscape }) {
    Object.assign(this, { people, picker, onSend, onEscape });
    this.input = byId("composer");
    this.replyTo = null;
    this.files = [];
    this.stickers = [];
    this.drafts = new Map(); // channel id -> text
    this.mentions = new Listbox(byId("mentions"), this.input, (user) => this.#completeMention(user));
    this.#decorate();
    this.#listen();
  }

  get text() {
    return this.input.value;
  }

  set text(value) {
    this.input.value = value;
    this.#refresh();
  }

  focus() {
    this.input.focus();
  }

  /** Each channel keeps its own half-written text, but not a half-typed command name. */
  switchChannel(channel, label) {
    if (this.channel) this.drafts.set(this.channel, /^[/／]/.test(this.text) ? "" : this.text);
    this.channel = channel;
    this.input.placeholder = t("placeholder", { channel: label });
    this.setReply(null);
    this.#setExtras([], []);
    this.text = this.drafts.get(channel) ?? "";
  }

  setReply(message) {
    this.replyTo = message;
    const bar = byId("reply-bar");
    bar.hidden = !message;
    if (!message) return;
    const close = el(
      "button",
      { class: "icon-button small", type: "button", "aria-label": t("cancelReply"), title: t("cancelReply"),
        "data-testid": "cancel-reply", onclick: () => { this.setReply(null); this.focus(); } },
      icon("close"),
    );
    bar.replaceChildren(icon("reply"), el("span", {}, t("replyingTo", { user: message.author.username })), close);
    this.focus();
  }

  botChanged() {
    byId("mention-cat").title = t("mentionCat", { bot: this.people.bot().username });
    this.#refresh();
  }

  #decorate() {
    byId("send").append(icon("send"));
    byId("attach").append(icon("plus"));
  }

  #listen() {
    this.input.addEventListener("input", (event) => this.#typed(event));
    // The lists stay shut while an IME composes, and open on what it leaves.
    this.input.addEventListener("compositionend", (event) => this.#typed(event));
    this.input.addEventListener("keydown", (event) => this.#key(event));
    byId("composer-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    byId("mention-cat").addEventListener("click", () => this.#toggleCat());
    byId("attach").addEventListener("click", () => this.#toggleExtrasMenu());
    byId("extras-menu").addEventListener("focusout", ({ relatedTarget }) => {
      if (!relatedTarget?.closest("#extras-menu, #attach")) this.#closeExtrasMenu();
    });
    byId("extras-menu").addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      this.#closeExtrasMenu();
      this.focus();
    });
    byId("file-names").addEventListener("change", (event) => {
      const names = [...event.target.files].map((file) => file.name);
      event.target.value = "";
      this.#setExtras([...this.files, ...names], this.stickers);
      this.focus();
    });
  }

  #key(event) {
    // 229 is what some browsers report for the Enter that ends a composition.
    if (event.isComposing || event.keyCode === 229) return;
    if (this.mentions.handleKey(event) || this.picker.handleKey(event)) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.#send();
    } else if (event.key === "Escape") {
      if (this.replyTo) this.setReply(null);
      else this.onEscape();
    }
  }

  #typed(event) {
    this.#refresh();
    if (event.isComposing) return;
    this.#offerMentions();
    this.picker.update(this.text);
  }

  #refresh() {
    this.input.style.height = "auto";
    this.input.style.height = `${Math.min(this.input.scrollHeight, MAX_HEIGHT_PX)}px`;
    byId("send").disabled = !this.#hasSomething();
    const bot = this.people.bot();
    byId("mention-cat").setAttribute("aria-pressed", String(Boolean(bot) && hasMention(this.text, bot)));
  }

  #hasSomething() {
    return Boolean(this.text.trim() || this.files.length || this.stickers.length);
  }

  async #send() {
    if (!this.#hasSomething()) return;
    const { text, replyTo, files, stickers, channel } = this;
    this.text = "";
    this.setReply(null);
    this.#setExtras([], []);
    this.mentions.hide();
    this.picker.close();
    try {
      await this.onSend({
        content: toWire(text.trim(), this.people.all()),
        reply_to: replyTo?.id ?? null,
        attachments: files,
        stickers,
      });
    } catch {
      // Give the words back, unless the reader has moved on.
      if (this.channel !== channel) this.drafts.set(channel, text);
      else if (!this.text) {
        this.text = text;
        this.setReply(replyTo);
        this.#setExtras(files, stickers);
      }
    }
  }

  #toggleCat() {
    const bot = this.people.bot();
    if (!bot) return;
    this.text = hasMention(this.text, bot)
      ? dropMention(this.text, bot)
      : `@${bot.username} ${this.text}`;
    this.focus();
    this.input.setSelectionRange(this.text.length, this.text.length);
  }

  #offerMentions() {
    const before = this.text.slice(0, this.input.selectionStart);
    const query = MENTION_BEFORE_CARET.exec(before)?.[1]?.toLowerCase();
    if (query === undefined) return this.mentions.hide();
    const bot = this.people.bot();
    const found = this.people.all().filter((user) =>
      [user.username.toLowerCase(), ...(user.id === bot.id ? CAT_WORDS : [])].some((word) => word.startsWith(query)),
    );
    return this.mentions.show(found, (user) => ({
      content: [
        avatar(user),
        el("span", { class: "item-name" }, `@${user.username}`),
        user.id === bot.id ? el("span", { class: "item-note" }, t("isCat")) : null,
      ],
      data: { userId: user.id },
    }));
  }

  #completeMention(user) {
    const caret = this.input.selectionStart;
    const before = this.text.slice(0, caret).replace(/[@＠][^\s@＠]*$/, `@${user.username} `);
    this.text = before + this.text.slice(caret).replace(/^ /, "");
    this.input.setSelectionRange(before.length, before.length);
    this.focus();
  }

  #closeExtrasMenu() {
    byId("extras-menu").hidden = true;
    byId("attach").setAttribute("aria-expanded", "false");
  }

  #toggleExtrasMenu() {
    const menu = byId("extras-menu");
    if (!menu.hidden) return this.#closeExtrasMenu();
    const item = (symbol, label, data, action) =>
      el("button", { class: "popup-item", type: "button", data,
        onclick: () => { this.#closeExtrasMenu(); this.focus(); action(); } }, icon(symbol), label);
    menu.replaceChildren(
      item("file", t("attachFile"), {}, () => byId("file-names").click()),
      el("p", { class: "popup-title" }, t("stickers")),
      ...STICKERS.map((name) =>
        item("sticker", name, { sticker: name }, () => this.#setExtras(this.files, [...this.stickers, name])),
      ),
    );
    menu.hidden = false;
    byId("attach").setAttribute("aria-expanded", "true");
    return menu.firstElementChild.focus();
  }

  #setExtras(files, stickers) {
    Object.assign(this, { files, stickers });
    const without = (list, index) => list.filter((_, i) => i !== index);
    const chip = (kind, name, remove) =>
      el("span", { class: "chip", data: { kind } }, icon(kind), name,
        el("button", { class: "chip-remove", type: "button", "aria-label": t("removeChip", { name }), onclick: remove },
          icon("close")));
    const box = byId("extras");
    box.replaceChildren(
      ...files.map((name, i) => chip("file", name, () => this.#setExtras(without(files, i), stickers))),
      ...stickers.map((name, i) => chip("sticker", name, () => this.#setExtras(files, without(stickers, i)))),
    );
    box.hidden = !box.children.length;
    this.#refresh();
  }
}
