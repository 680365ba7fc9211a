/**
 * What of a repository is damaged, as restic names it. Ids may be only the first digits of one: restic prints 8 or 10
 * digits of some, and takes that many, too.
 */
export type Damage =
  /** One piece of data or of a directory: its pack is there, but this part of it is not what was written. */
  | { object: 'blob'; type: 'data' | 'tree' | null; id: string; pack: string | null }
  /** A file of `data/` is missing, or too short. */
  | { object: 'pack'; id: string; missing: boolean }
  /** A file of `index/`: nothing can be read until the index is made anew. */
  | { object: 'index'; id: string }
  /** A file of `snapshots/`. */
  | { object: 'snapshot'; id: string };

/** Says that what was read is not what had been written, or that it is not there; whatever storage is asked. */
const lostOrChanged =
  /no such file|not exist|not found|\b404\b|nosuchkey|specified key|too short|invalid data|verification failed|wrong data|invalid hash|hash mismatch|decompress|corrupt/i;

const lost = /no such file|not exist|not found|\b404\b|nosuchkey|specified key/i;

/**
 * The damage that a message of restic tells of; null where it tells of something else, e.g. of a storage that does not
 * answer. Taken from what restic 0.17 to 0.19 print (`internal/repository/repository.go`, `raw.go`).
 */
export function damageIn(message: string): Damage | null {
  const blob = /blob <(data|tree)\/([0-9a-f]+)> from (?:pack )?<?(?:data\/)?([0-9a-f]+)/.exec(message);
  if (blob !== null && lostOrChanged.test(message)) {
    const [, type, id = '', pack = ''] = blob;
    return { object: 'blob', type: type === 'tree' ? 'tree' : 'data', id, pack };
  }
  const unknown = /(?:id|blob) <?(?:(data|tree)\/)?([0-9a-f]{8,64})>? not found in/.exec(message);
  if (unknown !== null) {
    const [, type, id = ''] = unknown;
    return { object: 'blob', type: type === 'tree' || type === 'data' ? type : null, id, pack: null };
  }
  const file = /<(data|index|snapshot)\/([0-9a-f]+)>/.exec(message);
  if (file === null || !lostOrChanged.test(message)) return null;
  const [, kind, id = ''] = file;
  if (kind === 'index') return { object: 'index', id };
  if (kind === 'snapshot') return { object: 'snapshot', id };
  return { object: 'pack', id, missing: lost.test(message) };
}

/** The same for the same damage. */
export function damageKey(damage: Damage): string {
  return `${damage.object} ${damage.id}`;
}

/** As a message names it. */
export function describeDamage(damage: Damage): string {
  switch (damage.object) {
    case 'blob': {
      const what = damage.type === 'tree' ? 'a directory' : damage.type === 'data' ? 'data' : 'something';
      const where = damage.pack === null ? ', which no index names' : ` in the pack ${damage.pack}`;
      return `${what} with the id ${damage.id}${where}`;
    }
    case 'pack':
      return `the pack ${damage.id}`;
    case 'index':
      return `the index ${damage.id}`;
    case 'snapshot':
      return `the file of the snapshot ${damage.id}`;
  }
}
