import type { Fields } from './objects.js';
import { quote, type Warn } from './warnings.js';

type Kind = 'persistentvolume' | 'namespace' | 'persistentvolumeclaim';

/** The keys below the prefix that mean something, by the kind of object that they are read on. */
const vocabulary: Record<Kind, readonly string[]> = {
  persistentvolume: [
    'backup',
    'backupa',
    'mode',
    'last-backup',
    'last-snapshot',
    'last-backup-claim',
    'last-attempt',
    'last-error',
    'last-verified',
  ],
  namespace: ['backup'],
  persistentvolumeclaim: ['backup'],
};

/** Keys whose names are taken for what a later release will do. */
const reserved: Record<Kind, readonly string[]> = {
  persistentvolume: [],
  namespace: [],
  persistentvolumeclaim: ['exclude', 'group', 'pre-snapshot', 'post-snapshot'],
};

const everyKey = new Set([...Object.values(vocabulary), ...Object.values(reserved)].flat());

/** One object's annotations below the prefix. Reading a value that makes no sense warns, and counts as not set. */
export class Annotations {
  constructor(
    private readonly kind: Kind,
    /** `NAME` or `NAMESPACE/NAME`. */
    private readonly name: string,
    private readonly annotations: Fields,
    private readonly prefix: string,
    private readonly warn: Warn,
  ) {}

  /** The verdict that this object gives, or null where it gives none. */
  backup(): boolean | null {
    const verdict = this.#boolean('backup');
    if (this.kind !== 'persistentvolume' || this.get('backupa') === undefined) return verdict;
    this.#warn(
      `annotation ${this.prefix}/backupa is accepted as ${this.prefix}/backup, which should be used instead`,
    );
    // Read also where it does not count, so that an odd value is seen.
    const alias = this.#boolean('backupa');
    return verdict ?? alias;
  }

  /** Whether an RBD filesystem is to be read as an image: `mode: image`. */
  imageMode(): boolean {
    const value = this.get('mode');
    if (value === undefined) return false;
    if (typeof value === 'string' && value.trim().toLowerCase() === 'image') return true;
    this.odd('mode', 'is not "image"');
    return false;
  }

  get(key: string): unknown {
    const name = `${this.prefix}/${key}`;
    return Object.hasOwn(this.annotations, name) ? this.annotations[name] : undefined;
  }

  /** Warns about a value that cannot be read. */
  odd(key: string, problem: string): void {
    const value = quote(this.get(key));
    this.#warn(
      `annotation ${this.prefix}/${key} has the value ${value}, which ${problem}; it counts as not set`,
    );
  }

  /** Warns about keys below the prefix that have no effect: a misspelt `bakcup: "false"` must not go unnoticed. */
  checkKeys(): void {
    const below = `${this.prefix}/`;
    for (const name of Object.keys(this.annotations)) {
      if (!name.startsWith(below)) continue;
      const key = name.slice(below.length);
      if (vocabulary[this.kind].includes(key)) continue;
      const shown = `annotation ${quote(name).slice(1, -1)}`;
      if (reserved[this.kind].includes(key))
        this.#warn(`${shown} has no effect yet: it is reserved for later`);
      else if (everyKey.has(key)) this.#warn(`${shown} has no effect on a ${this.kind}`);
      else this.#warn(`${shown} is unknown and has no effect`);
    }
  }

  #boolean(key: string): boolean | null {
    const value = this.get(key);
    if (value === undefined) return null;
    const word = typeof value === 'string' ? value.trim().toLowerCase() : null;
    if (word === 'true') return true;
    if (word === 'false') return false;
    this.odd(key, 'is neither "true" nor "false"');
    return null;
  }

  #warn(text: string): void {
    this.warn(`${this.kind}/${this.name}`, text);
  }
}
