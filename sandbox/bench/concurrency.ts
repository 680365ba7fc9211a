import os from 'node:os';
import { atLeast, information, median, type Bench } from './figure.js';
import { smallVolumes } from './small-volumes.js';
import { inTurn } from './against-script.js';
import { measure } from './stopwatch.js';
import { TestBed } from './test-bed.js';

/** Eight small volumes, one at a time and four at a time. */
export const concurrency: Bench = async ({ folder, quick, tell }) => {
  const bed = await TestBed.start(folder);
  try {
    tell('8 volumes of 10 MB');
    const volumes = await smallVolumes(bed, 8);
    const modes = [1, 4].map((width) => ({
      width,
      seconds: [] as number[],
      busy: [] as number[],
      processorSeconds: [] as number[],
    }));
    const rounds = quick ? 1 : 5;
    for (let round = 0; round < rounds; round += 1) {
      tell(`round ${round + 1} of ${rounds}: one at a time, four at a time`);
      await inTurn(
        round,
        modes.map(({ width, seconds, busy, processorSeconds }) => async () => {
          const repository = await bed.repository();
          const run = await measure(() =>
            bed.run({ repository, volumes, args: ['--concurrency', String(width)] }),
          );
          seconds.push(run.seconds);
          busy.push(run.busy);
          processorSeconds.push(run.processorSeconds);
        }),
      );
    }
    const [one = Number.NaN, four = Number.NaN] = modes.map(({ seconds }) => median(seconds));
    return {
      figures: [
        atLeast('8 volumes, four at a time against one', one / four, 2.5, '×'),
        information('8 volumes, one at a time', one, 's'),
        information('8 volumes, four at a time', four, 's'),
      ],
      notes: modes.map(
        ({ width, busy, processorSeconds }) =>
          `With --concurrency ${width} the machine's processors were ${Math.round(100 * median(busy))} % busy. ` +
          bound(median(processorSeconds), volumes.length, one),
      ),
    };
  } finally {
    await bed.stop();
  }
};

/** How quick the machine could be at best, were all of its processors busy all the time. */
function bound(processorSeconds: number, volumes: number, one: number): string {
  const processors = os.availableParallelism();
  const least = processorSeconds / processors;
  const each = (processorSeconds / volumes).toFixed(2);
  return (
    `A volume takes ${each} s of a processor, Ceph's daemons included: ${volumes} of them take ${least.toFixed(1)} s ` +
    `at the least on ${processors} processors, ${(one / least).toFixed(2)}× quicker than one at a time.`
  );
}
