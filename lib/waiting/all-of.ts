/**
 * What all come to. Where one fails, it throws that, once none of the others goes on: what they acquire is then known to
 * whoever releases it.
 */
export async function allOf<T extends readonly unknown[]>(
  all: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(all);
  return Promise.all(all);
}
