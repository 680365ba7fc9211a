import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { whyNoFuse } from '../../lib/fuse/available.js';
import { temporaryFolder } from '../support/temporary.js';

test('why nothing can be mounted is said before it is tried', async () => {
  const status = path.join(await temporaryFolder('fuse-available'), 'status');
  await writeFile(status, 'Name:\tnode\nCapInh:\t0000000000000000\nCapEff:\t00000000a80425fb\n');
  expect(await whyNoFuse()).toBeNull();
  expect(await whyNoFuse('/dev/fuse', status)).toContain('SYS_ADMIN');
  expect(await whyNoFuse('/dev/none')).toBe('there is no /dev/none');
  expect(await whyNoFuse('/proc')).toContain('cannot be opened');
});
