import { startCeph, type CephOptions } from '../ceph.js';
import { own } from '../owner.js';

/**
 * `alone.js FOLDER [KEYTYPE...]`: a Ceph for as long as somebody holds its stdin open, for processes that have another
 * Debian as their root. Says `ready`.
 */
await own(async () => {
  const [dir = '', ...keyTypes] = process.argv.slice(2);
  const { stop } = await startCeph({
    dir,
    ...(keyTypes.length === 0 ? {} : { keyTypes: keyTypes as unknown as NonNullable<CephOptions['keyTypes']> }),
  });
  console.log('ready');
  process.stdin.resume();
  await new Promise((resolve) => process.stdin.once('end', resolve));
  await stop();
  return 0;
});
