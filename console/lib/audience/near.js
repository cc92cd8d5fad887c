// The word that somebody may have meant.

/** Steps from one word to another: a letter more, less or another, or two that changed places. */
export function distance(from, to) {
  const [a, b] = [[...from], [...to]];
  const rows = [Array.from({ length: b.length + 1 }, (_, at) => at)];
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const isSame = a[i - 1] === b[j - 1];
      row[j] = Math.min(rows[i - 1][j] + 1, row[j - 1] + 1, rows[i - 1][j - 1] + (isSame ? 0 : 1));
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (isSwapped) row[j] = Math.min(row[j], rows[i - 2][j - 2] + 1);
    }
    rows.push(row);
  }
  return rows[a.length][b.length];
}

const LONGEST = 64;
const plain = (word) => word.toLowerCase().replace(/[\s_.-]/g, '');

/** Of `options` (`{ value, text }`) the one whose text or value is nearest to `word`, if it is near; else null. */
export function near(word, options) {
  const wanted = plain(word);
  if (!wanted || wanted.length > LONGEST) return null;
  const most = wanted.length < 3 ? 0 : wanted.length < 6 ? 1 : 2;
  let [best, steps] = [null, most + 1];
  for (const option of options) {
    const names = [option.text, option.value].map((name) => plain(String(name))).filter((name) => Math.abs(name.length - wanted.length) <= most);
    for (const name of names) {
      const needed = distance(wanted, name);
      if (needed < steps) [best, steps] = [option, needed];
    }
  }
  return best;
}
