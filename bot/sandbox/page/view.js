// Draws everything around the messages: channels, actors, the badge, the hints.

import { avatar, byId, dots, el, icon } from "./dom.js";
import { t, tNodes } from "./i18n.js";
import { channelLabel, people, store } from "./store.js";

const EXAMPLE = "ご飯だよ";

export function renderActors() {
  const select = byId("actor");
  select.replaceChildren(
    ...store.actors.map(({ key, username, role }) => {
      const known = t(`role_${key}`);
      return el("option", { value: key }, `${username} · ${known.startsWith("role_") ? role : known}`);
    }),
  );
  select.value = store.actor;
  byId("actor-avatar").replaceChildren(avatar(people.me()));
}

export function renderBot() {
  const { online, username } = store.bot;
  const badge = byId("bot-status");
  badge.dataset.online = String(online);
  badge.replaceChildren(
    avatar(people.bot()),
    el("span", {}, el("span", { class: "status-name" }, `${username} `), t(online ? "online" : "offline")),
  );
  byId("offline-note").hidden = online;
  byId("offline-note").textContent = t("offlineNote", { bot: username });
}

function channelButton(channel, onOpen) {
  const unread = store.unread.has(channel.id);
  const mark = channel.kind === "dm" ? avatar(people.bot()) : icon(channel.kind === "thread" ? "thread" : "hash");
  return el(
    "button",
    {
      class: `channel ${channel.kind}${unread ? " unread" : ""}`,
      type: "button",
      data: { channelKey: channel.key, channelId: channel.id, kind: channel.kind },
      "aria-current": channel.id === store.channel?.id ? "page" : null,
      onclick: () => onOpen(channel),
    },
    mark,
    el("span", { class: "channel-name" }, channel.name),
    unread ? el("span", { class: "unread-dot" }, el("span", { class: "hidden-text" }, t("unread"))) : null,
  );
}

export function renderChannels(onOpen) {
  const threadsOf = (id) => store.channels.filter((c) => c.kind === "thread" && c.parent === id);
  const texts = store.channels.filter((c) => c.kind === "text");
  const orphans = store.channels.filter((c) => c.kind === "thread" && !texts.some((p) => p.id === c.parent));
  const dms = store.channels.filter((c) => c.kind === "dm");
  const section = (title, channels) =>
    channels.length ? [el("h2", {}, title), el("ul", {}, channels.map((c) => el("li", {}, channelButton(c, onOpen))))] : [];
  const focused = document.activeElement?.dataset?.channelId;
  byId("channels").replaceChildren(
    ...section(t("textChannels"), [...texts.flatMap((c) => [c, ...threadsOf(c.id)]), ...orphans]),
    ...section(t("directMessages"), dms),
  );
  // Redrawing the list must not lose a keyboard user's place in it.
  if (focused) byId("channels").querySelector(`[data-channel-id="${CSS.escape(focused)}"]`)?.focus();
}

export function renderTitle() {
  const { channel, guild } = store;
  const parent = channel.parent && store.channels.find((c) => c.id === channel.parent);
  byId("channel-title").replaceChildren(
    ...(parent ? [el("span", { class: "title-parent" }, `#${parent.name} ›`), " "] : []),
    channel.kind === "thread" ? channel.name : channelLabel(channel),
  );
  document.title = `${channelLabel(channel)} · ${guild.name} · catbot sandbox`;
  // The address carries the place, so a reload or a second tab (another actor) finds it.
  history.replaceState(null, "", `?as=${store.actor}#${encodeURIComponent(channel.key)}`);
}

export function renderEmpty(isEmpty, onExample) {
  const empty = byId("empty");
  empty.hidden = !isEmpty;
  if (!isEmpty) return;
  const dm = store.channel.kind === "dm";
  const example = dm ? EXAMPLE : `@${store.bot.username} ${EXAMPLE}`;
  const fill = el("button", { class: "example", type: "button", lang: "ja", onclick: () => onExample(example) }, example);
  empty.replaceChildren(
    el("img", { src: "/static/cat.svg", alt: "", width: 96, height: 96 }),
    el("p", { class: "empty-title" }, t("emptyTitle")),
    el("p", {}, tNodes(dm ? "emptyDm" : "emptyGuild", { example: fill })),
  );
}

export function renderTyping() {
  const here = `${store.channel?.id} `;
  const names = [...store.typing.keys()]
    .filter((key) => key.startsWith(here))
    .map((key) => people.nameOf(key.slice(here.length)));
  const key = ["", "typingOne", "typingTwo"][names.length] ?? "typingMany";
  const line = byId("typing");
  line.replaceChildren(...(key ? [dots(), el("span", {}, t(key, { a: names[0], b: names[1] }))] : []));
}
