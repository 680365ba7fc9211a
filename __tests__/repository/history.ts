import { createHash } from 'node:crypto';
import { verifiedOn } from '../../lib/plan/attempt.js';
import { backupsOf, groupByClaim } from '../../lib/repository/claims.js';
import { manifestsHost, manifestTags, recordNote } from '../../lib/repository/manifests.js';
import { ProofRecord } from '../../lib/repository/run-record.js';
import { readRecord, type Marks } from '../../lib/repository/proofs.js';
import type { KeepRules } from '../../lib/retention/keep.js';
import { storedClaims, forgottenIds, planRetention } from '../../lib/retention/plan.js';
import { verdictsOf } from '../../lib/retention/rules.js';
import type { CommandResult } from '../../lib/tools/process/exec.js';
import type { Restic } from '../../lib/tools/restic/restic.js';
import type { ResticSnapshot } from '../../lib/tools/restic/snapshot.js';
import { byAgeOfProof, candidate, type Candidate } from '../../lib/verify/rotation.js';
import type { Random } from '../plan/random.js';

export const cluster = 'c';
const hour = 3_600_000;

interface Claim {
  uid: string;
  pvc: string;
  /** Name of its volume, which a claim that is made anew may inherit. */
  pv: string;
}

/** What really became of a snapshot, which no command can look up. */
interface Truth {
  sound: boolean;
  /** Whether the run lived long enough to tell, or to have it told by the next one. */
  told: boolean;
  release: 'old' | 'new';
}

/** A cluster and its repository over months: runs of old and new releases, kills, prunes, recreated claims. */
export class World {
  snapshots: ResticSnapshot[] = [];
  readonly truth = new Map<string, Truth>();
  claims: Claim[] = [];
  /** By the claim's UID: when a backup of it was last read by `verify`. */
  readonly verified = new Map<string, number>();
  /** By PersistentVolume: `last-snapshot`. */
  readonly marked = new Map<string, string>();
  /** By PersistentVolume: the annotations of `verify`. */
  readonly #annotations = new Map<string, Record<string, string>>();
  now = Date.parse('2026-01-01T00:00:00Z');
  #failing = false;
  #number = 0;

  constructor(private readonly random: Random) {
    for (const pvc of ['a', 'b', 'd']) this.#create(pvc, `pv-${pvc}`);
  }

  get marks(): Marks {
    return { cluster, ids: new Set(this.marked.values()) };
  }

  /** One run from its manifests to its record; `kill` ends it somewhere in between. */
  async run(release: 'old' | 'new', kill: boolean): Promise<void> {
    this.#later(20);
    const record = new ProofRecord(this.#restic(), cluster, () => this.now);
    const known = readRecord(this.snapshots, this.marks);
    if (release === 'new') record.adopt([...this.snapshots], known);
    // What a killed run had marked is told by the next one, if that lives.
    const adopted = new Set(this.marked.values());
    const narrowed = this.claims.filter(() => this.random.below(5) > 0);
    const begun = this.now - 1000;
    // Manifests may take longer than volumes; a run that is killed may not have saved them.
    const first = release === 'new' && !known.keptAt(this.now);
    const manifests = { at: first ? 0 : this.random.below(narrowed.length + 1), saved: false };
    const saveManifests = () => {
      if (manifests.saved) return;
      manifests.saved = true;
      this.#put(manifestsHost, manifestTags(cluster), begun, release === 'new' ? [recordNote] : []);
    };
    const killedAt = kill ? this.random.below(narrowed.length + 1) : Infinity;
    const told: string[] = [];
    for (const [index, claim] of narrowed.entries()) {
      if (index === manifests.at) saveManifests();
      this.#later(0);
      const last = index === killedAt;
      const fate = this.random.below(8);
      if (fate === 0) continue;
      const id = this.#save(claim);
      const sound = fate > 2;
      this.truth.set(id, { sound, told: false, release });
      if (!sound) {
        if (!last) record.unproven(id);
        continue;
      }
      // A volume is marked once the manifests are saved.
      if (!last) saveManifests();
      // Killed between restic's end and the proof, or the proof and the mark.
      if (last && this.random.below(2) === 0) break;
      record.proven(this.#find(id));
      told.push(id);
      if (last && this.random.below(2) === 0) break;
      if (!manifests.saved) break;
      if (fate > 3) this.marked.set(claim.pv, id);
      if (last) break;
    }
    if (killedAt === Infinity) saveManifests();
    if (killedAt !== Infinity || release === 'old') return;
    this.#later(0);
    // A repository that takes no record: the next run tells of what was marked.
    this.#failing = this.random.below(8) === 0;
    const failed = (await record.save(new AbortController().signal)) !== null;
    this.#failing = false;
    if (failed) return;
    for (const id of [...told, ...adopted]) {
      const truth = this.truth.get(id);
      if (truth !== undefined) truth.told = true;
    }
  }

  /** The claim goes; another of its name comes, with a new volume or the one that was kept. */
  recreate(): void {
    const index = this.random.below(this.claims.length);
    const [old] = this.claims.splice(index, 1);
    if (old === undefined) return;
    this.#create(old.pvc, this.random.below(2) === 0 ? old.pv : `${old.pv}x`);
  }

  prune(rules: KeepRules): { before: ResticSnapshot[]; forgotten: ReadonlySet<string> } {
    const before = this.snapshots;
    const { ids: marked } = this.marks;
    const ours = { snapshots: before, cluster, marked };
    const plan = planRetention({
      ...ours,
      living: new Set(this.claims.map(({ uid }) => uid)),
      verdicts: verdictsOf(storedClaims(ours), rules, this.now),
      keepDeletedMs: null,
      now: this.now,
    });
    const forgotten = new Set(forgottenIds(plan));
    this.snapshots = before.filter(({ id }) => !forgotten.has(id));
    return { before, forgotten };
  }

  /** As `restic copy` leaves them in another repository. */
  copied(): ResticSnapshot[] {
    return this.snapshots.map((one) => ({
      ...one,
      id: hash(`copy of ${one.id}`),
      original: one.original ?? one.id,
    }));
  }

  /** From now on the copy is the repository. */
  moveToCopy(): void {
    for (const { id } of this.snapshots) {
      const truth = this.truth.get(id);
      if (truth !== undefined) this.truth.set(hash(`copy of ${id}`), truth);
    }
    this.snapshots = this.copied();
  }

  /** Reads the last backups of some claims in turn, and marks them; returns what was to be read, in order, and was. */
  verify(most: number): { candidates: Candidate[]; read: Candidate[] } {
    this.#later(1);
    const volumes = new Map(this.claims.map(({ uid, pv }) => [uid, pv]));
    const candidates = groupByClaim(backupsOf(this.snapshots, this.marks)).flatMap((claim) => {
      const pv = volumes.get(claim.uid);
      if (pv === undefined) return [];
      const lastVerified = verifiedOn(this.#annotations.get(pv) ?? {}, 'p', claim.uid);
      const markedSnapshot = this.marked.get(pv) ?? null;
      return candidate(claim, { pv, lastVerified, markedSnapshot }) ?? [];
    });
    const read = byAgeOfProof(candidates).slice(0, most);
    for (const { pv, claim } of read) {
      if (pv === null) continue;
      this.verified.set(claim.uid, this.now);
      const time = new Date(this.now).toISOString();
      this.#annotations.set(pv, { 'p/last-verified': time, 'p/last-verified-claim': claim.uid });
    }
    return { candidates, read };
  }

  #create(pvc: string, pv: string): void {
    this.claims.push({ uid: `uid-${(this.#number += 1)}`, pvc, pv });
  }

  #later(hours: number): void {
    this.now += hours * hour + 1000 * (1 + this.random.below(3600));
  }

  #save({ uid, pvc, pv }: Claim): string {
    const tags = [`cluster=${cluster}`, 'namespace=n', `pvc=${pvc}`, `uid=${uid}`, `pv=${pv}`, 'kind=cephfs'];
    return this.#put(`k8s-n-nspvc-${pvc}`, tags, this.now, []);
  }

  #put(hostname: string, tags: string[], time: number, notes: string[]): string {
    const id = hash(`snapshot ${(this.#number += 1)}`);
    const about = {
      id,
      tree: hash(`tree ${id}`),
      paths: ['/'],
      hostname,
      tags,
      excludes: notes,
      summary: null,
    };
    this.snapshots = [...this.snapshots, { ...about, time: new Date(time).toISOString() }];
    return id;
  }

  #find(id: string): ResticSnapshot {
    const found = this.snapshots.find((one) => one.id === id);
    if (found === undefined) throw new Error(id);
    return found;
  }

  /** A restic that saves what it is given into this repository. */
  #restic(): Restic {
    const backup = (args: readonly string[], options: { onStdoutLine?: (line: string) => void }) => {
      const values = (flag: string) =>
        args.filter((arg) => arg.startsWith(flag)).map((arg) => arg.slice(flag.length));
      const time = Date.parse(`${values('--time=')[0]?.replace(' ', 'T') ?? ''}Z`);
      const tags = (values('--tag=')[0] ?? '').split(',');
      if (this.#failing) return Promise.resolve({ exitCode: 1, stdout: '', stderr: 'no' } as CommandResult);
      const id = this.#put(values('--host=')[0] ?? '', tags, time, values('--exclude='));
      options.onStdoutLine?.(JSON.stringify({ message_type: 'summary', snapshot_id: id }));
      return Promise.resolve({ exitCode: 0, stdout: '', stderr: '' } as CommandResult);
    };
    return { backup, below: [] } as unknown as Restic;
  }
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
