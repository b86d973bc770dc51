// The message list: one <article class="message"> per message, plus a row for
// each command that has no answer yet.

import { avatar, dots, el, icon } from "./dom.js";
import { locale, t, tNodes } from "./i18n.js";
import { plainText, renderText } from "./text.js";

const EPHEMERAL = 1 << 6;
const LOADING = 1 << 7; // the bot said "wait", the answer is not there yet
const GROUP_MS = 5 * 60 * 1000;
const NEAR_BOTTOM_PX = 80;

export const isEphemeral = (message) => Boolean(message.flags & EPHEMERAL);
const isLoading = (message) => Boolean(message.flags & LOADING);

const clock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" });
const dated = new Intl.DateTimeFormat(locale, {
  month: "short", day: "numeric", hour: "2-digit", minute: "2-digit",
});
const full = new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "medium" });

function timeTag(iso) {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return null;
  const today = date.toDateString() === new Date().toDateString();
  return el("time", { datetime: iso, title: full.format(date) }, (today ? clock : dated).format(date));
}

/** `people` answers who is who: {user(id), nameOf(id), channelName(id), bot(), me()}. */
export class MessageList {
  constructor({ root, jump, people, onReply, onDismiss }) {
    Object.assign(this, { root, jump, people, onReply, onDismiss });
    this.entries = new Map(); // message id -> {message, node}
    this.rows = new Map(); // interaction id -> {interaction, node}
    this.dismissed = new Set();
    let wasAtBottom = true;
    root.addEventListener("scroll", () => {
      wasAtBottom = this.#atBottom();
      if (wasAtBottom) jump.hidden = true;
    });
    jump.addEventListener("click", () => this.scrollToEnd());
    // A phone keyboard or a taller composer must not hide the newest message.
    new ResizeObserver(() => wasAtBottom && this.scrollToEnd()).observe(root);
  }

  get isEmpty() {
    return !this.entries.size && !this.rows.size;
  }

  get(id) {
    return this.entries.get(id)?.message;
  }

  clear() {
    this.entries.clear();
    this.rows.clear();
    this.root.replaceChildren();
    this.jump.hidden = true;
  }

  /** Make the list equal to `messages`, touching only what differs (a screen reader re-reads new nodes). */
  sync(messages) {
    const keep = new Set(messages.map((message) => message.id));
    for (const id of [...this.entries.keys()]) if (!keep.has(id)) this.remove(id);
    for (const message of messages) this.upsert(message);
  }

  upsert(message) {
    if (this.dismissed.has(message.id)) return;
    const row = this.rows.get(message.interaction_metadata?.id);
    if (isLoading(message) && row?.interaction.state === "failed") return;
    const old = this.entries.get(message.id);
    if (old && JSON.stringify(old.message) === JSON.stringify(message)) return;
    this.#keepingBottom(message.author.id === this.people.me().id, () => {
      const node = this.#render(message);
      if (old) old.node.replaceWith(node);
      else this.#insert(node, message);
      this.entries.set(message.id, { message, node });
      this.#dropRow(message.interaction_metadata?.id);
    });
  }

  remove(id) {
    this.entries.get(id)?.node.remove();
    this.entries.delete(id);
    this.#regroup();
  }

  /** A command on its way: nothing, "thinking", or "did not respond". */
  setInteraction(interaction) {
    const { id, state } = interaction;
    if (state === "answered") return this.#dropRow(id);
    const loading = this.#messageFor(id);
    if (loading && state !== "failed") return undefined;
    return this.#keepingBottom(true, () => {
      // A placeholder message of a failed command would say "thinking" for ever.
      if (loading && isLoading(loading)) this.remove(loading.id);
      const node = this.#renderRow(interaction);
      const old = this.rows.get(id);
      if (old) old.node.replaceWith(node);
      else this.root.append(node);
      this.rows.set(id, { interaction, node });
      this.#regroup();
    });
  }

  scrollToEnd() {
    this.root.scrollTop = this.root.scrollHeight;
    this.jump.hidden = true;
  }

  #messageFor(interactionId) {
    for (const { message } of this.entries.values()) {
      if (message.interaction_metadata?.id === interactionId) return message;
    }
    return undefined;
  }

  #dropRow(id) {
    this.rows.get(id)?.node.remove();
    this.rows.delete(id);
    this.#regroup();
  }

  #atBottom() {
    return this.root.scrollHeight - this.root.scrollTop - this.root.clientHeight < NEAR_BOTTOM_PX;
  }

  #keepingBottom(force, change) {
    const follow = force || this.#atBottom();
    const before = this.root.lastElementChild;
    change();
    if (follow) this.scrollToEnd();
    else if (this.root.lastElementChild !== before) this.jump.hidden = false;
  }

  /** By time, since the answer to a POST can arrive after the events that follow it. */
  #insert(node, message) {
    const at = Date.parse(message.timestamp);
    let last = this.root.lastElementChild;
    while (last && last.matches(".message") && Number(last.dataset.time) > at) {
      last = last.previousElementSibling;
    }
    if (last) last.after(node);
    else this.root.prepend(node);
  }

  /** Consecutive messages of one author show the face and the name once. */
  #regroup() {
    let previous = null;
    for (const node of this.root.children) {
      const same =
        previous &&
        node.matches(".message") &&
        previous.matches(".message") &&
        node.dataset.authorId === previous.dataset.authorId &&
        !node.dataset.standalone &&
        previous.dataset.ephemeral === node.dataset.ephemeral &&
        Number(node.dataset.time) - Number(previous.dataset.time) < GROUP_MS;
      node.classList.toggle("grouped", Boolean(same));
      previous = node;
    }
  }

  #names() {
    return { user: (id) => this.people.nameOf(id), channel: (id) => this.people.channelName(id) };
  }

  #render(message) {
    const { author } = message;
    const me = this.people.me();
    const standalone = Boolean(message.interaction_metadata || message.referenced_message || message.message_reference);
    const classes = ["message"];
    if (author.id === me.id) classes.push("mine");
    if ((message.mentions || []).some((user) => user.id === me.id)) classes.push("for-me");
    return el(
      "article",
      {
        class: classes.join(" "),
        "aria-label": author.username,
        tabindex: "-1",
        data: {
          messageId: message.id,
          authorId: author.id,
          authorBot: String(Boolean(author.bot)),
          time: String(Date.parse(message.timestamp) || 0),
          ephemeral: String(isEphemeral(message)),
          loading: String(isLoading(message)),
          ...(standalone ? { standalone: "true" } : {}),
        },
      },
      this.#quote(message),
      this.#usedLine(message.interaction_metadata),
      avatar(author),
      el(
        "div",
        { class: "body" },
        this.#head(author, message.timestamp),
        this.#bubble(message),
        this.#chips(message),
        this.#reactions(message),
        isEphemeral(message) ? this.#onlyYou(() => this.#dismiss(message.id)) : null,
      ),
      isEphemeral(message) || isLoading(message) ? null : this.#replyButton(message),
    );
  }

  #head(author, timestamp) {
    return el(
      "div",
      { class: "head" },
      el("span", { class: "author" }, author.username),
      author.bot ? el("span", { class: "tag" }, t("catTag")) : null,
      timestamp ? timeTag(timestamp) : null,
    );
  }

  #bubble(message) {
    if (isLoading(message)) return this.#thinking();
    const content = renderText(message.content || "", this.#names());
    const edited = message.edited_timestamp ? el("span", { class: "edited" }, t("edited")) : null;
    const bubble = el("div", { class: "bubble" }, content, edited);
    // A bare sticker or file has no words; .content stays for whoever looks for it.
    if (!message.content) bubble.classList.add("wordless");
    return bubble;
  }

  #thinking() {
    return el(
      "div",
      { class: "bubble thinking", "data-testid": "thinking" },
      t("thinking", { bot: this.people.bot().username }),
      dots(),
    );
  }

  #quote(message) {
    const original = message.referenced_message;
    if (!original) {
      if (!message.message_reference?.message_id || original === undefined) return null;
      return el("div", { class: "quote gone" }, icon("reply"), el("span", {}, t("originalGone")));
    }
    const name = original.author.username;
    const text = plainText(original.content || "", this.#names()).replace(/\s+/g, " ");
    return el(
      "button",
      { class: "quote", type: "button", title: t("jumpTo", { user: name }), onclick: () => this.#goTo(original.id) },
      icon("reply"),
      el("span", { class: "quote-author" }, name),
      el("span", { class: "quote-text" }, text || t("noText")),
    );
  }

  #goTo(id) {
    const node = this.entries.get(id)?.node;
    if (!node) return;
    node.scrollIntoView({ block: "center" });
    node.focus();
    node.classList.add("flash");
    node.addEventListener("animationend", () => node.classList.remove("flash"), { once: true });
  }

  #usedLine(metadata) {
    if (!metadata?.name) return null;
    return el(
      "div",
      { class: "used", data: { used: metadata.name } },
      tNodes("used", {
        user: el("span", { class: "used-by" }, metadata.user?.username ?? this.people.nameOf(metadata.user?.id)),
        command: el("span", { class: "pill", data: { kind: "command" } }, `/${metadata.name}`),
      }),
    );
  }

  #chips(message) {
    const files = (message.attachments || []).map((file) => ["file", file.filename]);
    const stickers = (message.sticker_items || []).map((sticker) => ["sticker", sticker.name]);
    const chips = [...files, ...stickers].map(([kind, name]) =>
      el("span", { class: "chip", data: { kind } }, icon(kind), name),
    );
    return chips.length ? el("div", { class: "chips" }, chips) : null;
  }

  #reactions(message) {
    const chips = (message.reactions || []).map(({ emoji, count }) =>
      el(
        "span",
        { class: "reaction", data: { emoji: emoji.name } },
        el("span", {}, emoji.name),
        el("span", { class: "count" }, String(count)),
      ),
    );
    return chips.length ? el("div", { class: "reactions" }, chips) : null;
  }

  #onlyYou(onDismiss) {
    return el(
      "div",
      { class: "only-you" },
      icon("eye"),
      el("span", {}, t("onlyYou")),
      el("button", { class: "link", type: "button", "data-testid": "dismiss", onclick: onDismiss }, t("dismiss")),
    );
  }

  #dismiss(id) {
    this.dismissed.add(id);
    this.remove(id);
    this.root.focus();
    this.onDismiss(id);
  }

  #dismissRow(id) {
    this.#dropRow(id);
    this.root.focus();
    this.onDismiss(id);
  }

  #replyButton(message) {
    const label = t("replyTo", { user: message.author.username });
    return el(
      "button",
      { class: "reply-button", type: "button", "aria-label": label, title: label, "data-testid": "reply",
        onclick: () => this.onReply(message) },
      icon("reply"),
      el("span", { class: "reply-label" }, t("reply")),
    );
  }

  #renderRow({ id, name, state, user_id: userId, ephemeral }) {
    const failed = state === "failed";
    const dismiss = el(
      "button",
      { class: "link", type: "button", "data-testid": "dismiss", onclick: () => this.#dismissRow(id) },
      t("dismiss"),
    );
    const body = failed
      ? el("div", { class: "bubble failed", "data-testid": "failed" }, t("failed"), " ", dismiss)
      : state === "pending"
        ? el("div", { class: "bubble thinking" }, t("sending"), dots())
        : this.#thinking();
    return el(
      "div",
      { class: "interaction", data: { interactionId: id, state } },
      this.#usedLine({ name, user: { id: userId } }),
      avatar({ ...this.people.bot(), bot: true }),
      el(
        "div",
        { class: "body" },
        this.#head({ ...this.people.bot(), bot: true }),
        body,
        ephemeral && !failed ? el("div", { class: "only-you" }, icon("eye"), el("span", {}, t("onlyYou"))) : null,
      ),
    );
  }
}
