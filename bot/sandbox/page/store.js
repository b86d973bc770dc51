// What the page knows: the actor, the open channel, and who is who.

const ACTORS = ["member", "manager", "owner"];
const asked = new URLSearchParams(location.search).get("as");

export const store = {
  actor: ACTORS.includes(asked) ? asked : "member",
  bot: null,
  guild: null,
  actors: [],
  channels: [],
  channel: null,
  seen: new Map(), // authors met in messages, for mentions of people who are no actors
  unread: new Set(),
  waiting: new Map(), // interaction id -> last INTERACTION_STATE, until it is answered
  ran: new Set(), // ids of the interactions that this page started
  typing: new Map(), // "channel user" -> timer
};

export const people = {
  bot: () => store.bot && { ...store.bot, bot: true },
  me: () => store.actors.find((actor) => actor.key === store.actor) ?? { id: "" },
  all: () => [people.bot(), ...store.actors].filter(Boolean),
  nameOf: (id) => [...people.all(), store.seen.get(id)].find((user) => user?.id === id)?.username ?? "unknown",
  channelName: (id) => store.channels.find((channel) => channel.id === id)?.name ?? "unknown",
};

export const channelLabel = (channel) => (channel.kind === "dm" ? `@${channel.name}` : `#${channel.name}`);
