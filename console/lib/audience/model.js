// An audience as a tree that can be edited: to and from the API's `conditions`, and every edit as a
// function from one tree to the next. A tree is null for everyone, a group `{ id, join, children }`, or a
// condition `{ id, key, operator, value }`. Ids tell nodes apart while they move.

const FIELDS = ['conditions', 'key', 'value', 'operator', 'join_type'];

/** Where a tree stands in the API's bodies. */
export const ROOT = 'conditions';

let ids = 0;

export const condition = (key = '', operator = 'str_eq', value = '') => ({ id: ++ids, key, operator, value });
export const group = (join, children) => ({ id: ++ids, join, children });
export const isGroup = (node) => Boolean(node?.children);

/** JSON that is no condition; `path` says which part. */
export class Misshapen extends Error {
  constructor(path, message) {
    super(`${path}: ${message}`);
    this.path = path;
  }
}

/** The tree of the API's `conditions`. Throws {@link Misshapen}. */
export function fromJson(json, path = ROOT) {
  if (json === null || json === undefined) return null;
  if (typeof json !== 'object' || Array.isArray(json)) throw new Misshapen(path, 'must be an object');
  if (path === ROOT && !Object.values(json).some((value) => value !== null)) return null;
  const strange = Object.keys(json).find((name) => !FIELDS.includes(name));
  if (strange !== undefined) throw new Misshapen(`${path}.${strange}`, `is none of ${FIELDS.join(', ')}`);
  for (const name of ['key', 'operator', 'join_type']) text(json, name, path);
  return json.conditions ?? null ? groupFrom(json, path) : conditionFrom(json);
}

function text(json, name, path) {
  if (json[name] !== null && json[name] !== undefined && typeof json[name] !== 'string') {
    throw new Misshapen(`${path}.${name}`, 'must be a string');
  }
}

function groupFrom({ conditions, join_type: join, ...rest }, path) {
  const at = `${path}.conditions`;
  if (!Array.isArray(conditions)) throw new Misshapen(at, 'must be a list');
  if (!conditions.length) throw new Misshapen(at, 'must not be empty');
  if (!join && conditions.length > 1) throw new Misshapen(`${path}.join_type`, 'is required: AND, OR or NOT');
  if (join && !['AND', 'OR', 'NOT'].includes(join)) throw new Misshapen(`${path}.join_type`, 'must be AND, OR or NOT');
  const children = conditions.map((child, index) => {
    const childPath = `${at}[${index}]`;
    if (child === null) throw new Misshapen(childPath, 'must be an object');
    return fromJson(child, childPath);
  });
  return withRest(group(join ?? 'AND', children), rest);
}

function conditionFrom({ conditions, key, operator, value, ...rest }) {
  return withRest(condition(key ?? '', operator ?? '', value ?? null), rest);
}

/** What the API ignores in a clause is kept, so that it is written back as it came. */
function withRest(node, rest) {
  const said = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== null));
  if (Object.keys(said).length) node.rest = said;
  return node;
}

/** The API's `conditions` of a tree; null for everyone. */
export function toJson(node) {
  if (!node) return null;
  if (isGroup(node)) return { join_type: node.join, conditions: node.children.map(toJson), ...node.rest };
  const { key, operator, value, rest } = node;
  return { key, operator, ...(value === null || value === undefined ? {} : { value }), ...rest };
}

/** The same as text: a condition on a line, groups indented. */
export function toText(node) {
  const written = (json, indent) => {
    if (!json.conditions) return spaced(json);
    const { conditions, ...rest } = json;
    const deeper = `${indent}  `;
    const children = conditions.map((child) => `\n${deeper}${written(child, deeper)}`).join(',');
    return `${spaced(rest).slice(0, -2)}, "conditions": [${children}\n${indent}] }`;
  };
  return node ? written(toJson(node), '') : '{}';
}

const spaced = (json) => {
  const parts = Object.entries(json).map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`);
  return `{ ${parts.join(', ')} }`;
};

/** Every node with its `path`, `parent` and `index`, in the order of reading. */
export function* walked(node, path = ROOT, parent = null, index = 0, depth = 0) {
  if (!node) return;
  yield { node, path, parent, index, depth };
  for (const [at, child] of (node.children ?? []).entries()) {
    yield* walked(child, `${path}.conditions[${at}]`, node, at, depth + 1);
  }
}

/** Where a node is; null when it is not in the tree. */
export function found(root, id) {
  for (const place of walked(root)) if (place.node.id === id) return place;
  return null;
}

/** The node that a path leads to or into, and the rest of the path: `{ node, rest: 'operator' }`. */
export function atPath(root, path) {
  let best = null;
  for (const { node, path: own } of walked(root)) {
    const rest = path.slice(own.length);
    if (path.startsWith(own) && /^($|\.)/.test(rest)) best = { node, rest: rest.slice(1) };
  }
  return best;
}

/** The conditions of a tree, groups left out. */
export const conditionsOf = (root) => [...walked(root)].map(({ node }) => node).filter((node) => !isGroup(node));

/** The tree with `change(node)` in the node's place: a node, several, or null. A group that is left without
 * children goes too. */
function changed(root, id, change) {
  if (!root) return null;
  if (root.id === id) return change(root);
  if (!isGroup(root)) return root;
  const children = root.children.flatMap((child) => changed(child, id, change) ?? []);
  return children.length ? { ...root, children } : null;
}

/** Parts of a node replaced. */
export const edited = (root, id, parts) => changed(root, id, (node) => ({ ...node, ...parts }));

export const removed = (root, id) => changed(root, id, () => null);

/** The node within a group of its own. */
export const wrapped = (root, id, join = 'AND') => changed(root, id, (node) => group(join, [node]));

/** Whether a group can give way to its children. */
export const canUnwrap = (root, id) => {
  const place = found(root, id);
  return isGroup(place?.node) && (place.parent !== null || place.node.children.length === 1);
};

/** A group's children in its place. */
export const unwrapped = (root, id) =>
  canUnwrap(root, id)
    ? changed(root, id, ({ children }) => (children.length === 1 ? children[0] : children))
    : root;

/** The node put into a group at an index; into everyone, or beside a lone condition, in a group of all. */
export function inserted(root, parentId, index, node) {
  if (!root) return isGroup(node) ? node : group('AND', [node]);
  if (!isGroup(root)) return group('AND', [root, node]);
  return changed(root, parentId ?? root.id, (parent) => {
    const children = [...parent.children];
    children.splice(index ?? children.length, 0, node);
    return { ...parent, children };
  });
}

/** The node again behind itself, with ids of its own. */
export function doubled(root, id) {
  const place = found(root, id);
  if (!place) return root;
  const twin = copied(place.node);
  return place.parent ? inserted(root, place.parent.id, place.index + 1, twin) : group('AND', [place.node, twin]);
}

export const copied = (node) => ({ ...node, id: ++ids, ...(isGroup(node) ? { children: node.children.map(copied) } : {}) });

/** The node moved into a group, before what now stands at `index`. Into itself it does not go. */
export function placed(root, id, parentId, index) {
  const place = found(root, id);
  if (!place?.parent || found(place.node, parentId)) return root;
  const target = found(root, parentId)?.node;
  if (!isGroup(target)) return root;
  const before = target.children.slice(0, index).filter((child) => child.id !== id).length;
  const without = removed(root, id);
  // The group it left may have gone with its last child; the target, which had another place, has not.
  return found(without, parentId) ? inserted(without, parentId, before, place.node) : root;
}

/**
 * One step up (-1) or down (1) in the order of reading: past a neighbour, into a group beside, or at the
 * edge of a group out of it.
 */
export function moved(root, id, step) {
  const place = found(root, id);
  if (!place?.parent) return root;
  const { parent, index } = place;
  const neighbour = parent.children[index + step];
  if (isGroup(neighbour)) return placed(root, id, neighbour.id, step > 0 ? 0 : neighbour.children.length);
  if (neighbour) return placed(root, id, parent.id, step > 0 ? index + 2 : index - 1);
  const outer = found(root, parent.id);
  if (!outer.parent) return root;
  return placed(root, id, outer.parent.id, step > 0 ? outer.index + 1 : outer.index);
}
