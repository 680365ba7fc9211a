import { CephbackupError } from '../../lib/errors/error.js';

/** The code of the error that `act` throws. @throws what is not one of ours, and where nothing is thrown */
export function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (thrown) {
    if (thrown instanceof CephbackupError) return thrown.code;
    throw thrown;
  }
  throw new Error('nothing was thrown');
}
