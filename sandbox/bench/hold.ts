import { writeContents } from './contents.js';
import { atMost, information, median, type Bench } from './figure.js';
import { smallVolumes } from './small-volumes.js';
import { TestBed, type Claim } from './test-bed.js';

const MiB = 1024 ** 2;

/** How long applications are held, by hooks that take no time of their own. */
export const holding: Bench = async ({ folder, quick, tell }) => {
  const bed = await TestBed.start(folder, ['cephfs']);
  try {
    tell('a filesystem, a disk, a share, and a group of eight of them');
    const files = await smallVolumes(bed, 5);
    const disks = [await bed.disk('disk', 10 * MiB), await bed.disk('disk-of-group', 10 * MiB)];
    const fill = (root: string) => {
      writeContents(root, { seed: 1, smallFiles: 50, largeFiles: [] });
    };
    const shares = [await bed.share('share', fill), await bed.share('share-of-group', fill)];
    const more = await bed.disk('another-disk', 10 * MiB);
    const [filesystem, ...others] = files;
    const [disk, otherDisk] = disks;
    const [share, otherShare] = shares;
    const group = [...others, otherDisk, more, otherShare, await bed.disk('last', 10 * MiB)].filter(
      (claim) => claim !== undefined,
    );
    await bed.group('eight', group);
    const subjects: { name: string; claims: Claim[]; limit: number; held: number[] }[] = [
      { name: 'a filesystem', claims: [filesystem], limit: 1.5, held: [] },
      { name: 'a disk', claims: [disk], limit: 1.5, held: [] },
      { name: 'a share of CephFS', claims: [share], limit: 1.5, held: [] },
      { name: 'a group of eight', claims: group, limit: 3, held: [] },
    ].map((subject) => ({ ...subject, claims: subject.claims.filter((claim) => claim !== undefined) }));
    for (const [index, { claims }] of subjects.entries())
      await bed.pod(`application-${index}`, claims, {
        'pre-snapshot': '["true"]',
        'post-snapshot': '["true"]',
      });
    const rounds = quick ? 1 : 7;
    for (let round = 0; round < rounds; round += 1) {
      tell(`round ${round + 1} of ${rounds}`);
      for (const { claims, held } of subjects) {
        const { report } = await bed.run({
          repository: await bed.repository(),
          volumes: claims,
          args: ['--hooks'],
        });
        held.push(Math.max(...report.volumes.map(({ heldSeconds }) => heldSeconds ?? Number.NaN)));
      }
    }
    return {
      figures: subjects.flatMap(({ name, held, limit }) => [
        atMost(`applications of ${name} are held`, median(held), limit, 's'),
        information('  the longest', Math.max(...held), 's'),
      ]),
      notes: [
        'From the start of the first pre to the end of the last post; the hooks themselves are `true`.',
      ],
    };
  } finally {
    await bed.stop();
  }
};
