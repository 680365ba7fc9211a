/** What stands behind `prefix` in the first text that begins so, as in a snapshot's tags and notes; null where none does. */
export function behind(texts: readonly string[], prefix: string): string | null {
  return texts.find((text) => text.startsWith(prefix))?.slice(prefix.length) ?? null;
}
