import { asCephbackupError } from '../errors/error.js';
import type { Logger } from '../log/logger.js';

/** `image`: a drill's scratch image. */
export type ResourceKind = 'snapshot' | 'clone' | 'image' | 'mapping' | 'mount' | 'lock' | 'restic-snapshot';

/** Something that exists outside this program and must not stay. */
export interface Resource {
  kind: ResourceKind;
  /** As its own tool names it: `pool/image@snapshot`, `/dev/rbd3`. */
  name: string;
  /** ceph-csi's clusterID, where it is known. */
  cluster: string | null;
}

/** What could not be removed, as `run -o json` prints it. */
export interface Leftover extends Resource {
  node: string;
  reason: string;
}

interface Entry {
  /** Null for what needs no name in a report because it ends with this program. */
  resource: () => Resource | null;
  release: () => Promise<void>;
}

/**
 * What a volume acquired, released in reverse order. A release that fails stops the descent: what lies below it is
 * still in use (a mounted device, a mapped clone), so it is kept, and everything kept is named.
 */
export class Scope {
  readonly #entries: Entry[] = [];

  constructor(
    private readonly node: string,
    private readonly log: Logger,
  ) {}

  /**
   * Registers the undo. Call it *before* the command that creates the resource: a killed command can leave its effect
   * behind. `release` must therefore succeed where the resource does not exist.
   *
   * @param resource a function where it is known later whether there is one
   */
  add(resource: Resource | null | (() => Resource | null), release: () => Promise<void>): void {
    this.#entries.push({ resource: typeof resource === 'function' ? resource : () => resource, release });
  }

  /** Never throws; returns what is left behind. Calling it again tries again what was left. */
  async release(): Promise<Leftover[]> {
    while (this.#entries.length > 0) {
      const top = this.#entries.at(-1);
      if (top === undefined) break;
      try {
        await top.release();
        this.#entries.pop();
      } catch (thrown) {
        const reason = asCephbackupError(thrown).message;
        const left = this.#leftovers(reason);
        for (const { kind, name } of left) this.log.error(`left behind: ${kind} ${name}`, { reason });
        return left;
      }
    }
    return [];
  }

  #leftovers(reason: string): Leftover[] {
    const named = this.#entries.toReversed().flatMap(({ resource }) => resource() ?? []);
    return named.map((resource, index) => ({
      ...resource,
      node: this.node,
      reason: index === 0 ? reason : `kept because ${named[0]?.name ?? ''} could not be removed`,
    }));
  }
}
