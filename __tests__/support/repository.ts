import path from 'node:path';
import { Repository } from '../../sandbox/repository.js';
import { temporaryFolder } from './temporary.js';

/** A new restic repository for this test file alone. */
export async function freshRepository(password?: string): Promise<Repository> {
  return Repository.create(path.join(await temporaryFolder('restic'), 'repository'), {
    password,
    quick: true,
  });
}
