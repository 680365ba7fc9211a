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
    const modes = [1, 4].map((width) => ({ width, seconds: [] as number[], busy: [] as number[] }));
    const rounds = quick ? 1 : 5;
    for (let round = 0; round < rounds; round += 1) {
      tell(`round ${round + 1} of ${rounds}: one at a time, four at a time`);
      await inTurn(
        round,
        modes.map(({ width, seconds, busy }) => async () => {
          const repository = await bed.repository();
          const run = await measure(() =>
            bed.run({ repository, volumes, args: ['--concurrency', String(width)] }),
          );
          seconds.push(run.seconds);
          busy.push(run.busy);
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
        ({ width, busy }) =>
          `With --concurrency ${width} the machine's processors were ${Math.round(100 * median(busy))} % busy.`,
      ),
    };
  } finally {
    await bed.stop();
  }
};
