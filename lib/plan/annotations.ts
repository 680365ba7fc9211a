import { parseExcludes } from './excludes.js';
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
    'last-verified-snapshot',
    'last-verified-claim',
  ],
  namespace: ['backup'],
  persistentvolumeclaim: ['backup', 'exclude', 'group'],
};

/** Those of pods (lib/hooks), which are not read here. */
const ofPods = ['pre-snapshot', 'post-snapshot', 'hook-container', 'hook-timeout', 'hook-on-error'];

const everyKey = new Set([...Object.values(vocabulary), ofPods].flat());
/** A group's name, as Kubernetes takes it for the value of a label. */
const groupName = /^[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;

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

  /** The claims with the same one share one moment; null where there is none. */
  group(): string | null {
    const value = this.get('group');
    if (value === undefined) return null;
    if (typeof value === 'string' && groupName.test(value.trim())) return value.trim();
    this.odd('group', 'is no name of at most 63 letters, digits and . _ -');
    return null;
  }

  /** What a filesystem's backup leaves out. A line that cannot be read leaves out nothing. */
  excludes(): string[] {
    const value = this.get('exclude');
    if (typeof value !== 'string') return [];
    const { patterns, problems } = parseExcludes(value);
    for (const { line, problem } of problems)
      this.#warn(`annotation ${this.prefix}/exclude: the line ${quote(line)} ${problem}, and has no effect`);
    return patterns;
  }

  /** Says that an annotation can be read, and still has no effect here. */
  noEffect(key: string, why: string): void {
    this.#warn(`annotation ${this.prefix}/${key} has no effect: ${why}`);
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
      if (everyKey.has(key)) this.#warn(`${shown} has no effect on a ${this.kind}`);
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
