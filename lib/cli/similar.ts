/** The name that was probably meant, or null: one of few edits, and of no more than a third of what was typed. */
export function similar(typed: string, names: readonly string[]): string | null {
  const most = Math.max(1, Math.floor(typed.replace(/^-+/, '').length / 3));
  const ranked = names
    .map((name) => ({ name, edits: edits(typed, name) }))
    .filter((candidate) => candidate.edits <= most)
    .sort((a, b) => a.edits - b.edits);
  return ranked[0]?.name ?? null;
}

/** Optimal string alignment distance: insertions, deletions, substitutions, and swaps of neighbours. */
function edits(a: string, b: string): number {
  let [before, last] = [[] as number[], Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1];
      const swapped = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row[j] = Math.min(
        (last[j] ?? 0) + 1,
        (row[j - 1] ?? 0) + 1,
        (last[j - 1] ?? 0) + (same ? 0 : 1),
        swapped ? (before[j - 2] ?? 0) + 1 : Infinity,
      );
    }
    [before, last] = [last, row];
  }
  return last[b.length] ?? 0;
}
