import pLimit from 'p-limit';
import { asCephbackupError } from '../../errors/error.js';
import { formatPlace } from '../../tools/rbd/image-spec.js';
import type { AuditReport, AuditRequest, SweepReport, Sweeper, SweepRequest } from '../driver.js';
import { auditPlace } from './audit.js';
import type { ClientsFor } from './image.js';
import { placesOf, type Place } from './place.js';
import { PlaceSweep } from './leftovers.js';

/** Commands at a time: a sweep runs beside the backups and must not slow them down. */
const concurrency = 2;

/** Finds what runs leave in the pools that volumes are in: snapshots, clones and scratch images, mappings. */
export class RbdSweeper implements Sweeper {
  readonly #limit = pLimit(concurrency);

  constructor(
    private readonly clientsFor: ClientsFor,
    private readonly node: string,
  ) {}

  async sweep(request: SweepRequest): Promise<SweepReport> {
    const { places, problems } = await placesOf(request.volumes, this.clientsFor, request.signal);
    const report: SweepReport = { removed: [], leftovers: [], foreign: [], problems };
    await this.#each(places, problems, (place) =>
      new PlaceSweep(place, request, report, this.#limit, this.node).run(),
    );
    return report;
  }

  async audit({ names, volumes, signal }: AuditRequest): Promise<AuditReport> {
    const { places, problems } = await placesOf(volumes, this.clientsFor, signal);
    const leftovers: AuditReport['leftovers'] = [];
    await this.#each(places, problems, async (place) => {
      const found = await auditPlace(place, names, this.#limit, signal);
      problems.push(...found.problems);
      const { cluster } = place;
      const reason = 'it is still there after its removal';
      leftovers.push(...found.left.map((one) => ({ ...one, cluster, node: this.node, reason })));
    });
    return { leftovers, problems };
  }

  async #each(
    places: readonly Place[],
    problems: string[],
    action: (place: Place) => Promise<void>,
  ): Promise<void> {
    await Promise.all(
      places.map(async (place) => {
        try {
          await action(place);
        } catch (thrown) {
          const { message } = asCephbackupError(thrown);
          problems.push(`could not look for leftovers in ${formatPlace(place)}: ${message}`);
        }
      }),
    );
  }
}
