import type { CephbackupResult } from '../cephbackup.js';
import type { ResticSnapshot } from '../repository.js';
import type { World } from '../world.js';
import { worldChanges } from '../world.js';
import type { Bed } from './bed.js';
import type { Command } from './subjects.js';

/** What is known of the backups at one moment. */
export interface State {
  /** By the UID of the claim. */
  marks: Map<string, Record<string, string>>;
  snapshots: ResticSnapshot[];
  locks: string[];
}

/** What the matrix reads of the documents that the commands print. */
interface Document {
  exitCode?: number;
  volumes?: {
    uid: string;
    outcome: string;
    snapshot: string | null;
    error: { code: string; message: string; guidance: string } | null;
  }[];
  claims?: { outcome: string; error?: unknown }[];
  leftovers?: { kind: string; name: string; reason: string }[];
  warnings?: unknown[];
  error?: { code: string; message: string; guidance: string } | null;
}

const done = new Set(['succeeded', 'unchanged']);
/** Exit codes by the contract; 2 and 4 would be a mistake of the user's, or another run. */
const codes: Record<Command, readonly number[]> = {
  run: [0, 1, 3, 5],
  restore: [0, 1, 3, 5],
  verify: [0, 1, 3, 5],
  prune: [0, 1, 3],
  cleanup: [0, 1, 3, 5],
};

/** The rules for what a command says, whatever happened to it. */
export function judgeAnswer(
  command: Command,
  { code, signal, stdout, stderr, json }: CephbackupResult,
  { ends, secrets }: { ends: 'SIGKILL' | 'SIGTERM' | null; secrets: readonly string[] },
): string[] {
  const told = secrets.filter((secret) => `${stdout}${stderr}`.includes(secret));
  const problems = told.length > 0 ? ['I9: a secret was printed'] : [];
  if (ends === 'SIGKILL') return signal === 'SIGKILL' ? problems : [...problems, `ended by itself (${code})`];
  if (signal !== null) return [...problems, `died by ${signal}`];
  if (typeof json !== 'object' || json === null) return [...problems, 'stdout is not one JSON document'];
  const document = json as Document;
  const { exitCode = code, error = null } = document;
  if (exitCode !== code) problems.push(`exit code ${code}, but the document says ${exitCode}`);
  for (const one of [error, ...(document.volumes ?? []).map((volume) => volume.error)]) {
    if (one == null) continue;
    if (one.guidance === '' || one.message === '') problems.push(`${one.code} says nothing`);
    if (one.code === 'INTERNAL') problems.push(`a defect is reported: ${one.message}`);
  }
  if (ends === 'SIGTERM') {
    if (code !== 143) problems.push(`exit code ${code} after SIGTERM`);
    return problems;
  }
  if (!codes[command].includes(code ?? -1)) problems.push(`exit code ${code}`);
  if (code !== 0 && error == null && !tellsWhy(document))
    problems.push(`exit code ${code} without any reason`);
  if (code === 0 && error != null) problems.push(`exit code 0 with the error ${error.code}`);
  if (command === 'run') problems.push(...judgeRun(code, document));
  return problems;
}

function tellsWhy({ volumes = [], claims = [], leftovers = [], warnings = [] }: Document): boolean {
  const failed = volumes.some(({ error }) => error !== null) || claims.some(({ error }) => error != null);
  return failed || leftovers.length > 0 || warnings.length > 0;
}

function judgeRun(code: number | null, { volumes, leftovers = [], error }: Document): string[] {
  if (volumes === undefined) return code === 3 ? [] : [`exit code ${code} without volumes`];
  const problems: string[] = [];
  for (const { outcome, snapshot, error: why } of volumes) {
    if (done.has(outcome) && snapshot === null) problems.push(`${outcome} without a snapshot`);
    if (!done.has(outcome) && snapshot !== null) problems.push(`${outcome} with a snapshot`);
    if (!done.has(outcome) && why === null) problems.push(`${outcome} without a reason`);
  }
  const wrong = volumes.some((volume) => volume.error !== null) || error != null;
  const wanted = wrong ? [1, 3] : leftovers.length > 0 ? [5] : [0];
  if (!wanted.includes(code ?? -1)) problems.push(`I1: exit code ${code}, not ${wanted.join(' or ')}`);
  return problems;
}

/** Names of what is left by a run, as its document tells them. */
export function namesLeft({ json }: CephbackupResult): { kind: string; name: string }[] {
  return ((json as Document | undefined)?.leftovers ?? []).map(({ kind, name }) => ({ kind, name }));
}

const ownName = /cephbackup-[0-9a-f]{8}-[0-9a-f]{8}-\d+/;
const onThisNode = /^\+ (mount|loop|mapped|process|file) /;

/** Whatever is there that was not, and is not told. */
export function judgeWorld(
  before: World,
  after: World,
  {
    killed,
    hurt = false,
    told,
    target,
  }: {
    killed: boolean;
    hurt?: boolean;
    told: readonly { name: string }[];
    target: string | null;
  },
): string[] {
  return (
    worldChanges(before, after)
      .filter((line) => target === null || !line.includes(target))
      // Without its base the next backup reads everything, that is all.
      .filter((line) => !(hurt && line.startsWith('- base ')))
      .filter((line) => !(line.startsWith('+ base ') && told.some(({ name }) => name.includes('-base-'))))
      .filter((line) => {
        // A killed program tells nothing; Ceph keeps what it had made, and the file system its temporary files.
        if (killed) return onThisNode.test(line) && !line.startsWith('+ file ');
        const name = ownName.exec(line)?.[0];
        return name === undefined || !told.some((left) => left.name.includes(name));
      })
      .map((line) => `I4: ${line}`)
  );
}

/** What a run's answer says against what is marked, and what the repository holds. */
export async function judgeBackups(
  bed: Bed,
  result: CephbackupResult,
  before: State,
  after: State,
  same: (snapshot: ResticSnapshot, uid: string) => Promise<boolean>,
): Promise<string[]> {
  const problems: string[] = [];
  const found = new Map(after.snapshots.map((snapshot) => [snapshot.id, snapshot]));
  const known = new Set(before.snapshots.map(({ id }) => id));
  const { volumes = [] } = (result.json ?? {}) as Document;
  const left = namesLeft(result);
  for (const { uid, name } of bed.claims) {
    const volume = volumes.find((one) => one.uid === uid);
    const [old, now] = [before.marks.get(uid) ?? {}, after.marks.get(uid) ?? {}];
    const marked = now['last-snapshot'];
    const snapshot = marked === undefined ? undefined : found.get(marked);
    if (marked !== undefined && snapshot === undefined) problems.push(`I2: ${name}: its mark is of nothing`);
    if (snapshot !== undefined && !(await same(snapshot, uid)))
      problems.push(`I2: ${name}: what is marked has another content`);
    if (result.signal === null && volume !== undefined) {
      if (!done.has(volume.outcome) && marked !== old['last-snapshot'])
        problems.push(`I2: ${name}: ${volume.outcome}, and marked`);
      if (volume.snapshot !== null && !found.has(volume.snapshot))
        problems.push(`I1: ${name}: the snapshot is not there`);
      if (done.has(volume.outcome) && volume.error === null && marked !== volume.snapshot)
        problems.push(`I1: ${name}: ${volume.outcome}, and not marked`);
    }
    if (result.signal !== null) continue;
    for (const { id, tags } of after.snapshots) {
      if (known.has(id) || tags?.includes(`uid=${uid}`) !== true || id === volume?.snapshot) continue;
      if (!left.some((one) => one.kind === 'restic-snapshot' && id.startsWith(one.name.slice(0, 8))))
        problems.push(`I15: ${name}: the snapshot ${id.slice(0, 8)} is told nowhere`);
    }
  }
  return problems;
}
