// What a typed text stands for among suggestions.

const same = (a, b) => String(a ?? '').toLowerCase() === b.toLowerCase();

/** Those that are worth showing: not the one that is typed already. */
export const others = (options, text) => options.filter(({ value }) => String(value) !== text);

/**
 * The value that a typed text is taken for, or null: one that is called so but for capital letters, or, with
 * `sole`, the only one there is. What is spelled as one of them is that one.
 */
export function taken(options, text, sole) {
  const wanted = text.trim();
  if (!wanted || options.some(({ value }) => String(value) === wanted)) return null;
  const named = options.find(({ value, text: name }) => same(value, wanted) || same(name, wanted));
  return (named ?? (sole && options.length === 1 ? options[0] : null))?.value ?? null;
}
