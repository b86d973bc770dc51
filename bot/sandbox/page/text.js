// Between what people read ("@catbot") and what goes over the wire ("<@123>").

import { el } from "./dom.js";

const TOKEN = /<@!?(\d+)>|<#(\d+)>|<\/([^:>]+):\d+>|<a?(:\w+:)\d+>/g;
const KANA = /[\u3040-\u30ff\uff66-\uff9f]/;

const escape = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** "@name" as its own word. The full-width sign counts: a Japanese IME types it. */
const mentionPattern = (name) =>
  new RegExp(`(?<![A-Za-z0-9_.])[@＠]${escape(name)}(?![A-Za-z0-9_])`, "gi");

export const hasMention = (text, user) => mentionPattern(user.username).test(text);

export const dropMention = (text, user) =>
  text.replace(new RegExp(`${mentionPattern(user.username).source} ?`, "gi"), "");

/** Longest name first, so that "@catbot2" is never read as "@catbot" and a 2. */
export function toWire(text, users) {
  return [...users]
    .sort((a, b) => b.username.length - a.username.length)
    .reduce((out, user) => out.replace(mentionPattern(user.username), `<@${user.id}>`), text);
}

/** Split a message into strings and {kind, label, id} tokens. */
function* parts(content, names) {
  let end = 0;
  for (const match of content.matchAll(TOKEN)) {
    if (match.index > end) yield content.slice(end, match.index);
    const [whole, user, channel, command, emoji] = match;
    if (user) yield { kind: "user", id: user, label: `@${names.user(user)}` };
    else if (channel) yield { kind: "channel", id: channel, label: `#${names.channel(channel)}` };
    else if (command) yield { kind: "command", id: "", label: `/${command}` };
    else yield emoji;
    end = match.index + whole.length;
  }
  if (end < content.length) yield content.slice(end);
}

export function plainText(content, names) {
  return [...parts(content, names)].map((part) => part.label ?? part).join("");
}

export function renderText(content, names) {
  const nodes = [...parts(content, names)].map((part) =>
    typeof part === "string"
      ? part
      : el("span", { class: "pill", data: { kind: part.kind, id: part.id } }, part.label),
  );
  // Kana marked as Japanese gets Japanese glyph shapes and the right voice in a reader.
  return el("div", { class: "content", lang: KANA.test(content) ? "ja" : null }, nodes);
}
