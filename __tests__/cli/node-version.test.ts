import { expect, test } from '@jest/globals';
import { nodeProblem } from '../../lib/errors/node-version.js';

test.each(['20.0.0', '20.20.2', '22.1.0', '24.21.0', '100.0.0'])('Node %s will do', (version) => {
  expect(nodeProblem(version)).toBeNull();
});

test.each(['4.9.1', '12.22.12', '18.20.8', '19.9.0'])(
  'Node %s is too old, and is told so in one sentence',
  (version) => {
    const { code, message } = nodeProblem(version) ?? {};
    expect(code).toBe('NODE_TOO_OLD');
    expect(message).toBe(`cephbackup needs Node.js 20 or newer (24 is recommended), and this is ${version}`);
  },
);
