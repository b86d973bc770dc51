// The sandbox page: who acts, which channel is open, and what each event changes.

import * as api from "./api.js";
import { CommandPicker } from "./commands.js";
import { Composer } from "./composer.js";
import { byId, icon } from "./dom.js";
import { t, translatePage } from "./i18n.js";
import { MessageList } from "./messages.js";
import { channelLabel, people, store } from "./store.js";
import * as view from "./view.js";

const TYPING_MS = 10000;
// Discord's channel type numbers, for options that accept only some of them.
const CHANNEL_TYPES = { text: [0], dm: [1], thread: [10, 11, 12] };

const list = new MessageList({
  root: byId("messages"),
  jump: byId("jump"),
  people,
  onReply: (message) => composer.setReply(message),
  onDismiss: (id) => {
    store.waiting.delete(id);
    drawEmpty();
  },
});

const picker = new CommandPicker(byId("composer"), {
  clearInput: () => (composer.text = ""),
  done: () => composer.focus(),
  choices: optionChoices,
  run: runCommand,
  suggest: async (command, options) =>
    (await api.postAutocomplete({ ...where(), command, options })).choices ?? [],
});

const composer = new Composer({ people, picker, onSend: sendMessage, onEscape: () => list.scrollToEnd() });

const events = new api.Events({ onEvent: receive, onOpen: streamOpened, onLost: () => setBanner(true) });

// --- talking to the server ---------------------------------------------------

const where = () => ({ as: store.actor, channel: store.channel.id });

let toastTimer;
function complain(error) {
  const toast = byId("toast");
  toast.textContent = error.message;
  toast.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(allIsWell, 8000);
}

const allIsWell = () => (byId("toast").hidden = true);

async function sendMessage({ content, reply_to, attachments, stickers }) {
  const channel = store.channel.id;
  try {
    const message = await api.postMessage(channel, {
      as: store.actor,
      content,
      reply_to,
      ...(attachments.length ? { attachments } : {}),
      ...(stickers.length ? { stickers } : {}),
    });
    allIsWell();
    showMessage(message);
  } catch (error) {
    complain(error);
    throw error;
  }
}

async function runCommand(command, options) {
  try {
    const { id } = await api.postInteraction({ ...where(), command, options });
    allIsWell();
    store.ran.add(id);
    if (store.waiting.has(id)) showInteraction(store.waiting.get(id));
  } catch (error) {
    complain(error);
    throw error;
  }
}

async function loadCommands() {
  const { actor, channel } = store;
  if (!channel) return;
  const commands = await api.getCommands(actor, channel.id).catch(() => []);
  if (store.actor === actor && store.channel === channel) picker.setCommands(commands);
}

function optionChoices(kind, option) {
  if (kind === "user") return people.all().map((user) => [`@${user.username}`, user.id]);
  return store.channels
    .filter((channel) => channel.kind !== "dm")
    .filter(({ kind: k }) => !option.channel_types?.length || option.channel_types.some((n) => CHANNEL_TYPES[k].includes(n)))
    .map((channel) => [`#${channel.name}`, channel.id]);
}

// --- state and channels --------------------------------------------------------

async function loadState() {
  const actor = store.actor;
  const state = await api.getState(actor);
  if (actor !== store.actor) return;
  Object.assign(store, { bot: state.bot, guild: state.guild, actors: state.actors, channels: state.channels });
  byId("guild-name").textContent = state.guild.name;
  view.renderActors();
  drawBot();
  drawChannels();
}

/** The same channel if the new actor has it, else one of the same kind: their own DM for a DM. */
function counterpart(previous) {
  const wanted = previous ?? { key: decodeURIComponent(location.hash.slice(1)) };
  const { channels } = store;
  return (
    channels.find((channel) => channel.id === wanted.id) ??
    channels.find((channel) => channel.key === wanted.key) ??
    channels.find((channel) => channel.kind === wanted.kind) ??
    channels[0]
  );
}

let loading = null; // events that arrive while the messages of a channel are on their way

async function openChannel(channel) {
  store.channel = channel;
  store.unread.delete(channel.id);
  const root = byId("messages");
  root.setAttribute("aria-busy", "true");
  list.clear();
  view.renderEmpty(false);
  picker.reset();
  composer.switchChannel(channel.id, channelLabel(channel));
  drawChannels();
  view.renderTitle();
  view.renderTyping();
  await refreshMessages();
  for (const interaction of store.waiting.values()) showInteraction(interaction);
  root.removeAttribute("aria-busy");
  list.scrollToEnd();
  await loadCommands();
}

async function refreshMessages() {
  const { actor, channel } = store;
  const turn = (loading = []);
  try {
    const messages = await api.getMessages(actor, channel.id);
    if (turn !== loading) return;
    messages.forEach(remember);
    list.sync(messages);
  } catch (error) {
    complain(error);
  }
  if (turn !== loading) return;
  loading = null;
  for (const [type, data] of turn) receive(type, data);
  drawEmpty();
}

async function switchActor(key) {
  const previous = store.channel;
  store.actor = key;
  store.waiting.clear();
  store.unread.clear();
  store.typing.forEach((timer) => clearTimeout(timer));
  store.typing.clear();
  events.close();
  await start(previous);
}

async function start(previous = null) {
  try {
    await loadState();
    await openChannel(counterpart(previous));
    events.connect(store.actor);
  } catch {
    // Nothing to show yet: the stream's own retries bring the page up later.
    setBanner(true);
    events.connect(store.actor);
  }
}

/** Each (re)connect catches up: whatever happened before the stream opened was not sent. */
async function streamOpened() {
  setBanner(false);
  try {
    await loadState();
    const still = store.channels.find((channel) => channel.id === store.channel?.id);
    if (!still) await openChannel(counterpart(store.channel));
    else await Promise.all([refreshMessages(), loadCommands()]);
  } catch (error) {
    complain(error);
  }
}

// --- events ----------------------------------------------------------------------

const HANDLERS = {
  MESSAGE_CREATE: showMessage,
  MESSAGE_UPDATE: showMessage,
  MESSAGE_DELETE: ({ id, channel_id }) => {
    if (channel_id === store.channel?.id) list.remove(id);
    drawEmpty();
  },
  TYPING_START: startTyping,
  INTERACTION_STATE: (interaction) => {
    if (interaction.state === "answered") store.waiting.delete(interaction.id);
    else store.waiting.set(interaction.id, interaction);
    showInteraction(interaction);
  },
  BOT_STATE: ({ online }) => {
    if (!store.bot) return; // the state is still on its way, and will say so itself
    store.bot.online = online;
    drawBot();
  },
  COMMANDS_UPDATE: loadCommands,
};

function receive(type, data) {
  if (loading && /^MESSAGE_/.test(type)) loading.push([type, data]);
  else HANDLERS[type]?.(data);
}

function remember(message) {
  store.seen.set(message.author.id, message.author);
  for (const user of message.mentions || []) store.seen.set(user.id, user);
}

function showMessage(message) {
  remember(message);
  stopTyping(message.channel_id, message.author.id);
  // Once the answer itself is here, its "waiting" row must not come back on a channel switch.
  if (message.interaction_metadata) store.waiting.delete(message.interaction_metadata.id);
  if (message.channel_id === store.channel?.id) {
    list.upsert(message);
    drawEmpty();
  } else if (!store.unread.has(message.channel_id)) {
    store.unread.add(message.channel_id);
    drawChannels();
  }
}

function showInteraction(interaction) {
  if (interaction.channel_id !== store.channel?.id) return;
  // Only who ran it sees a command on its way or one that failed. Going by what this page ran
  // also leaves out option suggestions, whose interactions announce their states too.
  const mine = store.ran.has(interaction.id);
  if (!mine && (interaction.state !== "deferred" || interaction.ephemeral)) {
    list.setInteraction({ ...interaction, state: "answered" });
  } else {
    list.setInteraction(interaction);
  }
  drawEmpty();
}

function startTyping({ channel_id, user_id }) {
  if (user_id === people.me().id) return;
  stopTyping(channel_id, user_id);
  store.typing.set(`${channel_id} ${user_id}`, setTimeout(() => stopTyping(channel_id, user_id), TYPING_MS));
  view.renderTyping();
}

function stopTyping(channel, user) {
  clearTimeout(store.typing.get(`${channel} ${user}`));
  if (store.typing.delete(`${channel} ${user}`)) view.renderTyping();
}

// --- drawing ---------------------------------------------------------------------

function drawBot() {
  view.renderBot();
  composer.botChanged();
}

function drawChannels() {
  view.renderChannels((channel) => {
    toggleMenu(false);
    openChannel(channel);
    focusComposer();
  });
}

function drawEmpty() {
  view.renderEmpty(list.isEmpty, (example) => {
    composer.text = example;
    composer.focus();
  });
}

function setBanner(lost) {
  byId("banner").hidden = !lost;
  byId("banner-text").textContent = lost ? t("lost") : "";
}

function toggleMenu(open) {
  document.body.classList.toggle("menu-open", open);
  byId("menu").setAttribute("aria-expanded", String(open));
  byId("scrim").hidden = !open;
  if (open) byId("channels").querySelector("button")?.focus();
}

/** Not on a touch screen, where focus would raise the keyboard over the messages. */
function focusComposer() {
  if (!matchMedia("(pointer: coarse)").matches) composer.focus();
}

byId("menu").append(icon("menu"));
byId("menu").addEventListener("click", () => toggleMenu(!document.body.classList.contains("menu-open")));
byId("scrim").addEventListener("click", () => toggleMenu(false));
byId("sidebar").addEventListener("keydown", (event) => {
  if (event.key === "Escape" && document.body.classList.contains("menu-open")) {
    toggleMenu(false);
    byId("menu").focus();
  }
});
byId("actor").addEventListener("change", (event) => switchActor(event.target.value));
byId("reconnect").addEventListener("click", () => events.connect());

translatePage();
start().then(focusComposer);
