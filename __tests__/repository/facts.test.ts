import { expect, test } from '@jest/globals';
import { CephbackupError } from '../../lib/errors/error.js';
import type { PlannedVolume } from '../../lib/plan/types.js';
import { readImageFacts } from '../../lib/volumes/rbd/facts.js';
import type { LocateImage } from '../../lib/volumes/rbd/image.js';

const disk = (cluster: string, number: number) =>
  ({
    ...{ namespace: 'n', pvc: `${cluster}-${number}`, uid: `${cluster}-${number}`, kind: 'rbd-block' },
    ...{ backup: true, source: { image: 'i' }, details: { monitors: [cluster], encrypted: false } },
  }) as unknown as PlannedVolume;

test('a cluster that does not answer is asked once by each who asks already, and keeps nobody of another waiting', async () => {
  const asked: string[] = [];
  let give: () => void = () => undefined;
  const away = new Promise<void>((resolve) => (give = resolve));
  const info = async ({ details }: PlannedVolume) => {
    asked.push(details?.monitors?.[0] ?? '');
    if (details?.monitors?.[0] === 'here') return { size: 1 };
    await away;
    throw new CephbackupError('CEPH_UNREACHABLE', 'no answer');
  };
  const locate = (async (volume: PlannedVolume) => {
    await Promise.resolve();
    return { image: {}, rbd: { info: () => info(volume), metadata: () => Promise.resolve({}) } };
  }) as unknown as LocateImage;
  const many = Array.from({ length: 20 }, (_, n) => n);
  const volumes = [...many.map((n) => disk('away', n)), ...many.map((n) => disk('here', n))];
  const reading = readImageFacts(volumes, locate, 2, new AbortController().signal);
  while (asked.filter((cluster) => cluster === 'here').length < 20)
    await new Promise((resolve) => setTimeout(resolve, 5));
  give();
  const { facts, problems } = await reading;
  expect(asked.filter((cluster) => cluster === 'away')).toHaveLength(2);
  expect(facts.size).toBe(20);
  expect(problems).toHaveLength(20);
});
