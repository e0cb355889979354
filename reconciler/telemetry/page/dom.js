// Elements and texts. Whatever somebody else has written becomes a text node here, and never anything else.

// What does not print, or turns the direction of what follows, as it would be written in a program.
// eslint-disable-next-line no-control-regex
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

const LONG = /\S{21}/;

export function visible(text) {
  return String(text).replace(UNSEEN, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

// `attributes`: names and values as HTML has them; those that are null or false are left out. `children`: elements and
// texts, in lists as deep as one likes.
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) {
      made.setAttribute(name, value === true ? "" : value);
    }
  }
  made.append(...children.flat(Infinity).map((child) => (child instanceof Node ? child : visible(child))));
  return made;
}

export function find(id) {
  return document.getElementById(id);
}

// What is meant to stand somewhere, as plain values: written only where it has changed, so that what somebody has
// marked or is reading stays as it is.
const shown = new WeakMap();

export function show(place, parts) {
  const wanted = JSON.stringify(parts);
  if (shown.get(place) !== wanted) {
    shown.set(place, wanted);
    place.replaceChildren(...parts.filter((part) => part !== "").map(drawn));
    // A long name may be broken anywhere; a short one is not, however narrow its column.
    place.classList.toggle("long", LONG.test(place.textContent));
  }
}

// A part is a text, or an object: {text, as, class} an element, {lines} one below the other, {bar, level} a bar from 0
// to 1, {definition: [term, parts]} an entry of a list of definitions, {href, text} a link within the page.
function drawn(part) {
  if (typeof part !== "object") {
    return document.createTextNode(visible(part));
  }
  if (part.definition) {
    const [term, parts] = part.definition;
    return element("div", { class: part.class ?? null }, element("dt", {}, term), element("dd", {}, parts.map(drawn)));
  }
  if (part.lines) {
    return element("ul", { class: "lines" }, part.lines.map((line) => element("li", {}, [line].flat().map(drawn))));
  }
  if (part.bar !== undefined) {
    return bar(part);
  }
  if (part.href) {
    return element("a", { href: part.href }, part.text);
  }
  if (part.parts) {
    return element(part.as, { class: part.class ?? null, role: part.role ?? null }, part.parts.map(drawn));
  }
  return element(part.as ?? "span", { class: part.class ?? null, datetime: part.datetime ?? null }, part.text);
}

function bar({ bar: share, level }) {
  const inside = element("span", {});
  inside.style.inlineSize = `${Math.min(1, share) * 100}%`;
  // The numbers beside it say the same.
  return element("span", { class: `bar ${level}`, "aria-hidden": "true" }, inside);
}

export function state(word, level) {
  return { text: word, class: `state ${level}` };
}

export function code(text) {
  return { text, as: "code" };
}

let spoken = "";

// Said to those who listen rather than look, once; only what matters.
export function announce(text) {
  if (text !== spoken) {
    spoken = text;
    find("announcer").textContent = visible(text);
  }
}
