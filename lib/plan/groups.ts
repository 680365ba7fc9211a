import type { EpochMs } from '../log/time.js';
import type { Assessment } from './assess.js';
import type { Warnings } from './warnings.js';

type Listed = Pick<Assessment, 'view' | 'group' | 'selected' | 'excluded' | 'decision' | 'lastBackup'> & {
  listed: boolean;
};

/** What the claims of one group have in common: they are backed up together, or not at all. */
export interface Group {
  /** What tells the group's shard. */
  shardKey: string;
  /** The oldest of its members, null where one has none. */
  lastBackup: EpochMs | null;
}

/** A claim's group, among the claims that this run may back up; null where it has none. */
export type GroupOf = (claim: Listed) => Group | null;

/** Says what a group lacks: a member that is not backed up has no part in its moment. */
export function groupsOf(claims: readonly Listed[], warnings: Warnings): GroupOf {
  const members = new Map<string, Listed[]>();
  for (const claim of claims) {
    const key = keyOf(claim);
    if (key !== null) members.set(key, [...(members.get(key) ?? []), claim]);
  }
  for (const group of members.values()) warnGaps(group, warnings);
  return (claim) => {
    const key = keyOf(claim);
    if (key === null) return null;
    const together = (members.get(key) ?? []).filter(({ listed, selected }) => listed && selected);
    const times = together.map(({ lastBackup }) => lastBackup);
    const known = times.filter((time) => time !== null);
    return { shardKey: key, lastBackup: known.length < times.length ? null : Math.min(...known) };
  };
}

/** `NAMESPACE/GROUP`: neither may contain a slash. */
function keyOf({ view, group }: Listed): string | null {
  return group === null ? null : `${view.namespace}/${group}`;
}

function warnGaps(group: readonly Listed[], warnings: Warnings): void {
  if (!group.some(({ listed, selected }) => listed && selected)) return;
  for (const { view, group: name, listed, selected, excluded, decision } of group) {
    if (listed && selected) continue;
    const why = listed ? `it is not backed up (${excluded ?? decision})` : 'this run leaves it out';
    const object = `persistentvolumeclaim/${view.namespace}/${view.name}`;
    warnings.add(object, `it has no part in the moment of its group ${name ?? ''}: ${why}`);
  }
}
