import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { startCeph, type CephCluster } from './ceph.js';
import { checkout, statePath } from './checkout.js';
import { Bed } from './faults/bed.js';
import { casesOf, leastTried, numberOf, shuffled, sortOf } from './faults/matrix.js';
import { Replay, type Case, type Verdict } from './faults/replay.js';
import { Results, withTables } from './faults/results.js';
import { subjects, type Subject } from './faults/subjects.js';
import { own } from './owner.js';

/** `npm run test:faults [-- OPTIONS]`; docs/reliability.md says what it does. */
const { values: options } = parseArgs({
  options: {
    /** Decides the order, and what happens at random. */
    seed: { type: 'string', default: '1' },
    /** `I/N`: this part of all cases alone. */
    slice: { type: 'string', default: '0/1' },
    workers: { type: 'string', default: '2' },
    /** Only subjects, and only cases, whose name has this. */
    subject: { type: 'string', default: '' },
    only: { type: 'string', default: '' },
    /** How often each subject is killed at a random time. */
    kills: { type: 'string' },
    /** Cases of one subject before the next has its turn. */
    round: { type: 'string', default: '40' },
    minutes: { type: 'string', default: '1000000' },
    /** Forgets what was tried before. */
    afresh: { type: 'boolean', default: false },
    /** Tries what was broken again, and nothing else. */
    broken: { type: 'boolean', default: false },
    /** Prints the calls of the recordings, and tries nothing. */
    calls: { type: 'boolean', default: false },
    /** Writes the tables of docs/reliability.md, and tries nothing. */
    table: { type: 'boolean', default: false },
  },
});

const results = new Results(path.join(statePath(), 'faults'), options.afresh);

class Matrix {
  readonly #began = performance.now();
  readonly #left = new Map<string, number>();
  readonly #done: Set<string>;
  readonly #broken: Set<string>;
  /** How often each sort of case was tried, of whatever subject: what was tried least comes first. */
  readonly #tried = new Map<string, number>();
  #count = 0;
  #beds = 0;
  broken = 0;

  constructor(
    private readonly cluster: CephCluster,
    private readonly folder: string,
  ) {
    const last = new Map(results.lines.map(({ id, outcome }) => [id, outcome]));
    const ids = [...last.keys()];
    this.#broken = new Set(ids.filter((id) => last.get(id) === 'broken'));
    this.#done = new Set(options.broken ? ids.filter((id) => !this.#broken.has(id)) : ids);
    for (const id of this.#done) this.#mark(id);
  }

  get #over(): boolean {
    return performance.now() - this.#began > Number(options.minutes) * 60_000;
  }

  /** Several subjects at a time, each on beds of its own, in rounds. */
  async run(): Promise<void> {
    const wanted = subjects.filter(({ name }) => name.includes(options.subject));
    const queue = shuffled(wanted, ({ name }) => name, options.seed);
    const work = async () => {
      for (let subject = queue.shift(); subject !== undefined && !this.#over; subject = queue.shift()) {
        const more = await this.#round(subject);
        if (more) queue.push(subject);
      }
    };
    await Promise.all(Array.from({ length: Number(options.workers) }, work));
    const minutes = ((performance.now() - this.#began) / 60_000).toFixed(1);
    say(`${this.#count} cases in ${minutes} min, ${this.broken} broken`);
  }

  /** @returns whether there are more cases of this subject */
  async #round(subject: Subject): Promise<boolean> {
    const bed = await Bed.create(this.cluster, path.join(this.folder, `bed-${(this.#beds += 1)}`));
    try {
      const replay = await Replay.create(bed, subject);
      if (options.calls) {
        for (const { pattern, nth } of replay.calls) say(`${subject.name}: ${pattern} #${nth + 1}`);
        return false;
      }
      const cases = this.#casesOf(replay);
      this.#left.set(subject.name, cases.length);
      for (let count = 0; count < Number(options.round) && !this.#over; count += 1) {
        const one = leastTried(cases, this.#tried);
        if (one === undefined) break;
        cases.splice(cases.indexOf(one), 1);
        this.#mark(one.id);
        this.#tell(one, await replay.run(one).catch(defect));
      }
      return cases.length > 0;
    } catch (thrown) {
      this.broken += 1;
      say(`broken: ${subject.name}: ${String(thrown)}`);
      return false;
    } finally {
      await bed.stop();
    }
  }

  #casesOf({ subject, calls }: Replay): Case[] {
    const [index = 0, of = 1] = options.slice.split('/').map(Number);
    const kills = options.kills === undefined ? undefined : Number(options.kills);
    const cases = casesOf(subject, calls, options.seed, kills).filter(
      ({ id }) =>
        id.includes(options.only) &&
        !this.#done.has(id) &&
        (!options.broken || this.#broken.has(id)) &&
        Math.floor(numberOf('slice', id) * of) === index,
    );
    return shuffled(cases, ({ id }) => id, options.seed);
  }

  #mark(id: string): void {
    const sort = sortOf(id);
    this.#tried.set(sort, (this.#tried.get(sort) ?? 0) + 1);
  }

  #tell(one: Case, verdict: Verdict): void {
    results.add(one, verdict);
    this.#done.add(one.id);
    this.#count += 1;
    this.#left.set(one.subject.name, (this.#left.get(one.subject.name) ?? 1) - 1);
    const { outcome, ended, problems, seconds } = verdict;
    if (outcome === 'broken') {
      this.broken += 1;
      say(`broken: ${one.id}\n  ${problems.join('\n  ').slice(0, 2000)}`);
    }
    const left = [...this.#left.values()].reduce((sum, some) => sum + some, 0);
    const minutes = ((performance.now() - this.#began) / this.#count / 60_000) * left;
    say(
      `${this.#count} done, ${this.broken} broken, ${left} known to be left (${Math.round(minutes)} min): ` +
        `${outcome} (${ended}, ${seconds.toFixed(1)} s) ${one.id}`,
    );
  }
}

/** The matrix's own. */
function defect(thrown: unknown): Verdict {
  const text = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
  return { outcome: 'broken', problems: [`the matrix itself: ${text}`], ended: '?', seconds: 0, stderr: '' };
}

function say(text: string): void {
  console.log(text);
}

if (options.table) {
  const file = path.join(checkout, 'docs/reliability.md');
  writeFileSync(file, withTables(readFileSync(file, 'utf8'), results.lines));
} else {
  await own(async ({ folder, temporary }) => {
    const { cluster } = await startCeph({ dir: path.join(folder, 'ceph') });
    const matrix = new Matrix(cluster, temporary);
    await matrix.run();
    return matrix.broken > 0 ? 1 : 0;
  });
}
