/** An image as rbd names it: `pool[/namespace]/image`. */
export interface ImageSpec {
  pool: string;
  namespace: string | null;
  image: string;
}

/** Names that rbd's image specs can carry: no `/`, `@`, leading `-`, or anything that is not printable ASCII. */
export function isImageSpecName(name: string): boolean {
  return /^[A-Za-z0-9_.+=:][A-Za-z0-9_.+=:-]*$/.test(name);
}
