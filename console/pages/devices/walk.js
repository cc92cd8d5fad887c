// Walking devices in the order of their numbers.

/**
 * Devices after `after` (null for the first), `size` of them where there are so many. An answer of the API may be
 * shorter than was asked for and yet not the last: it ends where nothing is answered, or where all that match
 * are there. `ask({ size, after })` answers `{ result, total }`.
 */
export async function stretch(ask, { size, after }) {
  const rows = [];
  for (;;) {
    const last = rows.at(-1)?.id ?? after;
    const { result, total } = await ask({ size: size - rows.length, ...(last && { after: last }) });
    rows.push(...result);
    const isAll = !after && rows.length >= total;
    if (!result.length || rows.length >= size || isAll) return rows;
  }
}
