import { describe, expect, test } from '@jest/globals';
import { below, lineOf, planOf, prefix } from './world.js';

/** What an annotation says, by the spelling: `-` absent, `t` true, `f` false, `?` something else. */
const spellings: Record<string, string[]> = {
  '-': [],
  t: ['true', ' TRUE\n', 'True'],
  f: ['false', '\tFalse ', 'FALSE'],
  '?': ['maybe', '', 'yes', '1', 'truee'],
};

/**
 * By hand. Rows: the PersistentVolume's `backup`, then its alias `backupa`. Columns: the namespace's, then the claim's.
 * Each cell is the reason: p, n, c for who decided, D for the default; upper case where the claim is backed up.
 */
const table = `
     -- -t -f -?   t- tt tf t?   f- ft ff f?   ?- ?t ?f ??
--   D  C  c  D    N  C  c  N    n  n  n  n    D  C  c  D
-t   P  P  P  P    P  P  P  P    P  P  P  P    P  P  P  P
-f   p  p  p  p    p  p  p  p    p  p  p  p    p  p  p  p
-?   D  C  c  D    N  C  c  N    n  n  n  n    D  C  c  D

t-   P  P  P  P    P  P  P  P    P  P  P  P    P  P  P  P
tt   P  P  P  P    P  P  P  P    P  P  P  P    P  P  P  P
tf   P  P  P  P    P  P  P  P    P  P  P  P    P  P  P  P
t?   P  P  P  P    P  P  P  P    P  P  P  P    P  P  P  P

f-   p  p  p  p    p  p  p  p    p  p  p  p    p  p  p  p
ft   p  p  p  p    p  p  p  p    p  p  p  p    p  p  p  p
ff   p  p  p  p    p  p  p  p    p  p  p  p    p  p  p  p
f?   p  p  p  p    p  p  p  p    p  p  p  p    p  p  p  p

?-   D  C  c  D    N  C  c  N    n  n  n  n    D  C  c  D
?t   P  P  P  P    P  P  P  P    P  P  P  P    P  P  P  P
?f   p  p  p  p    p  p  p  p    p  p  p  p    p  p  p  p
??   D  C  c  D    N  C  c  N    n  n  n  n    D  C  c  D
`;

const reasons: Record<string, string> = {
  P: 'pv-true',
  p: 'pv-false',
  N: 'namespace-true',
  n: 'namespace-false',
  C: 'pvc-true',
  c: 'pvc-false',
  D: 'default',
};

interface Cell {
  pv: string;
  alias: string;
  namespace: string;
  pvc: string;
  cell: string;
}

function cells(): Cell[] {
  const [head = [], ...rows] = table
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([first]) => first !== '');
  return rows.flatMap(([row = '', ...columns]) =>
    columns.map((cell, index) => ({
      pv: row[0] ?? '',
      alias: row[1] ?? '',
      namespace: head[index]?.[0] ?? '',
      pvc: head[index]?.[1] ?? '',
      cell,
    })),
  );
}

/** Every spelling of every cell, each spelling of one annotation with one of the others. */
function annotations(key: string, say: string, round: number): Record<string, string> {
  const list = spellings[say] ?? [];
  const spelling = list[round % Math.max(list.length, 1)];
  return spelling === undefined ? {} : { [key]: spelling };
}

describe('which claims are backed up', () => {
  test('the table has every combination', () => {
    expect(cells()).toHaveLength(4 ** 4);
    expect(new Set(cells().map(({ pv, alias, namespace, pvc }) => pv + alias + namespace + pvc)).size).toBe(
      4 ** 4,
    );
  });

  test.each(cells())('PV $pv, alias $alias, namespace $namespace, PVC $pvc: $cell', (given) => {
    for (let round = 0; round < 5; round += 1) {
      const entry = {
        pv: { ...annotations('backup', given.pv, round), ...annotations('backupa', given.alias, round + 1) },
        namespace: annotations('backup', given.namespace, round + 2),
        pvc: annotations('backup', given.pvc, round + 3),
      };
      const { reason, backup } = lineOf(entry);
      expect({ reason, backup }).toEqual({
        reason: reasons[given.cell],
        backup: given.cell === given.cell.toUpperCase(),
      });
    }
  });

  test.each(cells())('warnings: PV $pv, alias $alias, namespace $namespace, PVC $pvc', (given) => {
    const { warnings } = planOf([
      {
        claim: 'team/data',
        pv: { ...annotations('backup', given.pv, 0), ...annotations('backupa', given.alias, 0) },
        namespace: annotations('backup', given.namespace, 0),
        pvc: annotations('backup', given.pvc, 0),
      },
    ]);
    const odd = (object: string, key: string) =>
      `${object}: annotation ${prefix}/${key} has the value "maybe", which is neither "true" nor "false"; it counts as not set`;
    const expected = [
      ...(given.pv === '?' ? [odd('persistentvolume/pv-team.data', 'backup')] : []),
      ...(given.alias === '-'
        ? []
        : [
            `persistentvolume/pv-team.data: annotation ${prefix}/backupa is accepted as ${prefix}/backup, which should be used instead`,
          ]),
      ...(given.alias === '?' ? [odd('persistentvolume/pv-team.data', 'backupa')] : []),
      ...(given.namespace === '?' ? [odd('namespace/team', 'backup')] : []),
      ...(given.pvc === '?' ? [odd('persistentvolumeclaim/team/data', 'backup')] : []),
    ];
    expect(warnings).toEqual(expected);
  });

  test('the alias counts on PersistentVolumes only', () => {
    const plan = planOf([{ claim: 'team/data', namespace: { backupa: 'false' }, pvc: { backupa: 'false' } }]);
    expect(plan.volumes[0]?.reason).toBe('default');
    expect(plan.warnings).toEqual([
      `namespace/team: annotation ${prefix}/backupa has no effect on a namespace`,
      `persistentvolumeclaim/team/data: annotation ${prefix}/backupa has no effect on a persistentvolumeclaim`,
    ]);
  });

  test('another prefix is another program', () => {
    expect(lineOf({ pvc: { backup: 'false' } }, { prefix: 'other.example' }).reason).toBe('default');
    expect(below({ backup: 'x' })).toEqual({ [`${prefix}/backup`]: 'x' });
  });

  test('a value that is no text is odd', () => {
    const plan = planOf([{ claim: 'team/data', pvc: { backup: false } }]);
    expect(plan.volumes[0]?.reason).toBe('default');
    expect(plan.warnings.join()).toContain('has the value "false", which is neither');
  });
});
