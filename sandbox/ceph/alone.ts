import { startCeph } from '../ceph.js';
import { own } from '../owner.js';
import { isKeyType } from './keyring.js';

/** `alone.js FOLDER [KEYTYPE...]`: a Ceph until it is told to end. Says `ready`. */
await own(async () => {
  const [dir = '', ...words] = process.argv.slice(2);
  const [first, ...others] = words.filter(isKeyType);
  await startCeph({ dir, ...(first === undefined ? {} : { keyTypes: [first, ...others] }) });
  console.log('ready');
  // Its daemons do not keep this process alive.
  setInterval(() => undefined, 2 ** 30);
  return new Promise<never>(() => undefined);
});
