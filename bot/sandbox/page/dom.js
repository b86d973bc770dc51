// Small DOM helpers. Text always goes in as text nodes, so nothing a user or
// the bot writes can become markup.

const SVG = "http://www.w3.org/2000/svg";

const ICONS = {
  send: "M4 12 20 4l-4.5 16-4-6.5L4 12Zm7.5 1.5L20 4",
  reply: "M10 6 4 11.5 10 17M4.5 11.5H14a6 6 0 0 1 6 6V19",
  plus: "M12 5v14M5 12h14",
  menu: "M4 7h16M4 12h16M4 17h16",
  close: "M6 6l12 12M18 6 6 18",
  hash: "M10 4 8 20M16 4l-2 16M4.5 9h16M3.5 15h16",
  thread: "M5 4v7a4 4 0 0 0 4 4h10M15 11l4 4-4 4",
  file: "M7 3h7l5 5v13H7V3Zm7 0v5h5",
  sticker: "M5 4h14v9l-6 7H5V4Zm14 9h-6v7",
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12Zm9.5 2.6a2.6 2.6 0 1 0 0-5.2 2.6 2.6 0 0 0 0 5.2Z",
};

export const byId = (id) => document.getElementById(id);

/** el("p", {class: "x", data: {id: 1}, onclick: f}, "text", node) */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "class") node.className = value;
    else if (key === "data") Object.assign(node.dataset, value);
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== ""));
  return node;
}

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** The cat has a face; people have their initial on one of eight colours. */
export function avatar(user) {
  if (user.bot) {
    return el("img", { class: "avatar", src: "/static/cat.svg", alt: "", width: 40, height: 40 });
  }
  let hue = 0;
  for (const char of String(user.id)) hue = (hue * 31 + char.codePointAt(0)) % 8;
  const initial = [...(user.username || "?")][0].toUpperCase();
  return el("span", { class: `avatar initial hue-${hue}`, "aria-hidden": "true" }, initial);
}

export const dots = () =>
  el("span", { class: "dots", "aria-hidden": "true" }, el("i"), el("i"), el("i"));
