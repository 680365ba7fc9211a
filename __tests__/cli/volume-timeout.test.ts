import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { resolveOptions } from '../../lib/cli/options.js';
import { parseCommandLine } from '../../lib/cli/program.js';
import { allCommands } from '../../lib/commands/index.js';
import { volumeTimeoutMs } from '../../lib/commands/shared/options/volume-timeout.js';
import { volumeOptions } from '../../lib/commands/shared/options/volumes.js';
import { checkout } from '../../sandbox/checkout.js';

const hourMs = 3_600_000;
const { volumeTimeout } = volumeOptions;
const limitOf = (raw: string | null) =>
  volumeTimeoutMs(
    resolveOptions({ volumeTimeout }, {}, raw === null ? {} : { CEPHBACKUP_VOLUME_TIMEOUT: raw }).values,
  );

test('a volume has a limit by itself, shorter than the day after which the next run begins; none only where that is asked for', () => {
  expect(limitOf(null)).toBe(20 * hourMs);
  expect(limitOf('')).toBe(20 * hourMs);
  expect(limitOf('6h')).toBe(6 * hourMs);
  expect(limitOf('0s')).toBeNull();
});

test('the help of the program and the values of the chart say so', async () => {
  const help = parseCommandLine(await allCommands(), ['run', '--help'], '0');
  expect(help).toMatchObject({
    text: expect.stringMatching(/--volume-timeout.*\(default: 20h; 0s: none\)/) as unknown,
  });
  const values = readFileSync(path.join(checkout, 'charts/cephbackup/values.yaml'), 'utf8');
  expect(values).toMatch(/; `0s`: none\. Default: 20h\.\nvolumeTimeout: ''\n/);
});
