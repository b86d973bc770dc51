// Everything that talks to the server: JSON requests and the event stream.

import { t } from "./i18n.js";

async function request(method, path, body) {
  let response;
  try {
    response = await fetch(`/sandbox/${path}`, {
      method,
      headers: body ? { "Content-Type": "application/json" } : {},
      body: body ? JSON.stringify(body) : undefined,
    });
  } catch {
    throw new Error(t("unreachable"));
  }
  const data = await response.json().catch(() => null);
  if (!response.ok) throw new Error(data?.error || `${response.status} ${response.statusText}`);
  return data;
}

const query = (params) => new URLSearchParams(params).toString();

export const getState = (as) => request("GET", `state?${query({ as })}`);
export const getMessages = (as, channel) =>
  request("GET", `channels/${encodeURIComponent(channel)}/messages?${query({ as })}`);
export const postMessage = (channel, body) =>
  request("POST", `channels/${encodeURIComponent(channel)}/messages`, body);
export const getCommands = (as, channel) => request("GET", `commands?${query({ as, channel })}`);
export const postInteraction = (body) => request("POST", "interactions", body);
export const postAutocomplete = (body) => request("POST", "autocomplete", body);

const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 10000;

/**
 * The event stream of one actor. EventSource gives up for good on some errors
 * (any answer but 200), so reconnecting is done here, with a growing pause.
 */
export class Events {
  constructor({ onEvent, onOpen, onLost }) {
    Object.assign(this, { onEvent, onOpen, onLost });
    this.retryMs = FIRST_RETRY_MS;
  }

  connect(as = this.as) {
    this.close();
    this.as = as;
    const source = new EventSource(`/sandbox/events?${query({ as })}`);
    this.source = source;
    source.onopen = () => {
      this.retryMs = FIRST_RETRY_MS;
      this.onOpen();
    };
    source.onmessage = (message) => {
      const { t: type, d } = JSON.parse(message.data);
      this.onEvent(type, d);
    };
    source.onerror = () => {
      this.close();
      this.onLost();
      this.timer = setTimeout(() => this.connect(), this.retryMs);
      this.retryMs = Math.min(this.retryMs * 2, LAST_RETRY_MS);
    };
  }

  close() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }
}
