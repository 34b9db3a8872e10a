// Helpers that touch a node only when something changed, so that a picture
// twice a second costs little and a selection survives it. Text is always set
// as text: nothing that a tenant sends is ever read as HTML.

/** make builds an element with attributes and children. */
export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

export function text(node, value) {
  if (node.textContent !== value) node.textContent = value;
}

export function attribute(node, name, value) {
  const s = String(value);
  if (node.getAttribute(name) !== s) node.setAttribute(name, s);
}

/** keyed keeps one child of parent for each item, in order: made once, then updated. */
export function keyed(parent, items, key, build, update = () => {}) {
  const old = (parent.keyed ??= new Map());
  const now = new Map();
  for (const item of items) {
    const k = key(item);
    const node = old.get(k) ?? build(item);
    update(node, item);
    now.set(k, node);
  }
  parent.keyed = now;
  const nodes = [...now.values()];
  const same = nodes.length === parent.childElementCount && nodes.every((n, i) => parent.children[i] === n);
  if (!same) parent.replaceChildren(...nodes);
}

/** forget drops what keyed built, so that it is built anew in another language. */
export function forget(parent) {
  parent.keyed = new Map();
}
