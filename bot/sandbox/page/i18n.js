// English and Japanese strings, and the lookup of Discord's own localisations.

const EN = {
  skip: "Skip to the message box",
  sandbox: "local sandbox",
  channels: "Channels",
  textChannels: "Channels",
  directMessages: "Direct messages",
  openMenu: "Channel list",
  closeMenu: "Close the channel list",
  actAs: "Act as",
  role_member: "member",
  role_manager: "manager",
  role_owner: "owner",
  messages: "Messages",
  newMessages: "New messages ↓",
  unread: "unread",
  online: "online",
  offline: "offline",
  offlineNote: "{bot} is offline. You can write, but nobody will answer until the bot connects.",
  lost: "Connection lost. Trying again…",
  reconnect: "Reconnect now",
  unreachable: "The sandbox server does not answer. Check that it is running, then try again.",
  messageBox: "Message",
  placeholder: "Message {channel}",
  send: "Send",
  mentionCat: "Mention {bot}",
  mentionList: "People to mention",
  isCat: "the cat",
  attach: "Add a file name or a sticker",
  attachFile: "File (only its name is sent)",
  stickers: "Stickers",
  removeChip: "Remove {name}",
  reply: "Reply",
  replyTo: "Reply to {user}",
  replyingTo: "Replying to {user}",
  cancelReply: "Cancel the reply",
  originalGone: "The original message is gone",
  jumpTo: "Go to the message from {user}",
  noText: "(no text)",
  edited: "(edited)",
  catTag: "cat",
  used: "{user} used {command}",
  thinking: "{bot} is thinking…",
  sending: "Sending the command…",
  failed: "The application did not respond",
  onlyYou: "Only you can see this",
  dismiss: "Dismiss",
  typingOne: "{a} is typing…",
  typingTwo: "{a} and {b} are typing…",
  typingMany: "Several people are typing…",
  emptyGuild: "Mention the cat: try {example}",
  emptyDm: "It is just you and the cat: try {example}",
  emptyTitle: "It is quiet here",
  commandList: "Commands",
  noCommands: "No command matches",
  noCommandsAtAll: "No commands here yet",
  run: "Run",
  cancel: "Cancel",
  required: "required",
  optional: "optional",
  choose: "Choose…",
  notSet: "Not set",
  yes: "True",
  no: "False",
  needInteger: "Enter a whole number.",
  needNumber: "Enter a number.",
  suggestions: "Suggestions for {name}",
};

const JA = {
  skip: "メッセージ入力へ移動",
  sandbox: "ローカルサンドボックス",
  channels: "チャンネル",
  textChannels: "チャンネル",
  directMessages: "ダイレクトメッセージ",
  openMenu: "チャンネル一覧",
  closeMenu: "チャンネル一覧を閉じる",
  actAs: "操作する人",
  role_member: "メンバー",
  role_manager: "管理者",
  role_owner: "オーナー",
  messages: "メッセージ",
  newMessages: "新着メッセージ ↓",
  unread: "未読",
  online: "オンライン",
  offline: "オフライン",
  offlineNote: "{bot} はオフラインです。書き込めますが、ボットが接続するまで返事はありません。",
  lost: "接続が切れました。再接続しています…",
  reconnect: "今すぐ再接続",
  unreachable: "サンドボックスのサーバーが応答しません。起動しているか確認して、もう一度お試しください。",
  messageBox: "メッセージ",
  placeholder: "{channel} へメッセージ",
  send: "送信",
  mentionCat: "{bot} にメンション",
  mentionList: "メンションする相手",
  isCat: "ねこ",
  attach: "ファイル名やスタンプを追加",
  attachFile: "ファイル（名前だけ送信）",
  stickers: "スタンプ",
  removeChip: "{name} を外す",
  reply: "返信",
  replyTo: "{user} に返信",
  replyingTo: "{user} に返信中",
  cancelReply: "返信をやめる",
  originalGone: "元のメッセージはありません",
  jumpTo: "{user} のメッセージへ移動",
  noText: "（本文なし）",
  edited: "（編集済み）",
  catTag: "ねこ",
  used: "{user} が {command} を使いました",
  thinking: "{bot} が考え中…",
  sending: "コマンドを送信中…",
  failed: "アプリケーションが応答しませんでした",
  onlyYou: "あなただけに表示されています",
  dismiss: "閉じる",
  typingOne: "{a} が入力中…",
  typingTwo: "{a} と {b} が入力中…",
  typingMany: "複数の人が入力中…",
  emptyGuild: "ねこに話しかけてみよう：{example}",
  emptyDm: "ねことふたりきりです。試しに：{example}",
  emptyTitle: "まだ静かです",
  commandList: "コマンド",
  noCommands: "一致するコマンドがありません",
  noCommandsAtAll: "ここで使えるコマンドはまだありません",
  run: "実行",
  cancel: "やめる",
  required: "必須",
  optional: "任意",
  choose: "選んでください…",
  notSet: "指定しない",
  yes: "はい",
  no: "いいえ",
  needInteger: "整数を入力してください。",
  needNumber: "数値を入力してください。",
  suggestions: "{name} の候補",
};

export const locale = navigator.language || "en-US";
const japanese = locale.toLowerCase().startsWith("ja");
const strings = japanese ? JA : EN;

export function t(key, vars = {}) {
  const text = strings[key] ?? EN[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => vars[name] ?? whole);
}

/** Like t(), but the values are DOM nodes; returns an array for append(). */
export function tNodes(key, vars) {
  return (strings[key] ?? key).split(/(\{\w+\})/).map((part) => vars[part.slice(1, -1)] ?? part);
}

/** Fill the static texts of index.html. */
export function translatePage() {
  document.documentElement.lang = japanese ? "ja" : "en";
  for (const node of document.querySelectorAll("[data-i18n]")) node.textContent = t(node.dataset.i18n);
  for (const node of document.querySelectorAll("[data-i18n-label]")) {
    node.setAttribute("aria-label", t(node.dataset.i18nLabel));
    if (node.matches("button:not(.scrim)")) node.title = t(node.dataset.i18nLabel);
  }
}

/** `name` or `description` of a command, option or choice in the reader's language. */
export function localized(object, field) {
  const table = object[`${field}_localizations`] || {};
  const language = locale.split("-")[0].toLowerCase();
  // Discord keys some languages with a region ("en-GB") and some without ("ja").
  const key =
    Object.keys(table).find((k) => k.toLowerCase() === locale.toLowerCase()) ??
    Object.keys(table).find((k) => k.toLowerCase() === language) ??
    Object.keys(table).find((k) => k.toLowerCase().startsWith(`${language}-`) && language !== "en");
  return (key && table[key]) || object[field] || "";
}
