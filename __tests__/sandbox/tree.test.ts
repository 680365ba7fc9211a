import { chmod, link, mkdir, rename, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { run } from '../../sandbox/process.js';
import type { Tree } from '../../sandbox/tree/describe.js';
import { freshRepository } from '../support/repository.js';
import { temporaryFolder } from '../support/temporary.js';
import { describeTree, differences, expectSameTree, hostileNames, makeHostileTree } from '../support/tree.js';

let original: string;
let tree: Tree;
beforeAll(async () => {
  original = `${await temporaryFolder()}/original`;
  await mkdir(original);
  await makeHostileTree(original);
  tree = await describeTree(original);
});

describe('the hostile tree', () => {
  test('has all of its names', () => {
    for (const name of hostileNames) expect([...tree.keys()]).toContain(`names/${name.toString('latin1')}`);
  });

  test('comes back from restic as it was', async () => {
    const repository = await freshRepository();
    await run('sh', ['-c', 'cd "$1" && exec "$0" backup --quiet .', 'restic', original], {
      env: { ...repository.env, PATH: process.env.PATH },
    });
    const target = `${await temporaryFolder()}/restored`;
    await repository.restore('latest', target);
    await expectSameTree(original, target, { sparse: true });
  });
});

describe('a difference is seen in', () => {
  const cases: Record<string, [change: (root: string) => Promise<unknown>, seen: RegExp]> = {
    'a name': [(root) => rename(`${root}/times/now`, `${root}/times/then`), /now.*missing.*then.*not exist/s],
    content: [(root) => writeFile(`${root}/modes/0644`, '0645'), /0644.*content/],
    size: [(root) => truncate(`${root}/sparse/only-a-hole`, 5), /only-a-hole.*size/],
    'a mode': [(root) => chmod(`${root}/modes/4755`, 0o755), /4755.*mode was 4755, is 755/],
    'an owner': [(root) => run('chown', ['0', `${root}/modes/0400`]), /0400.*owner/],
    'a time': [(root) => utimes(`${root}/times/now`, 0, 1_700_000_000.1234567), /now.*mtime/],
    'an attribute': [
      (root) => run('setfattr', ['-x', 'user.binary', `${root}/attributes/file`]),
      /attributes\/file.*attributes/,
    ],
    'an ACL': [
      (root) => run('setfacl', ['-d', '-x', 'g:77', `${root}/attributes/folder`]),
      /folder.*attributes/,
    ],
    'a hard link': [
      async (root) => {
        await rm(`${root}/links/second`);
        await writeFile(`${root}/links/second`, 'one inode, three names');
      },
      /second.*linkedTo was links\/first/,
    ],
    'a link that was none': [
      async (root) => {
        await rm(`${root}/links/same-content`);
        await link(`${root}/links/first`, `${root}/links/same-content`);
      },
      /same-content.*linkedTo was , is links\/first/,
    ],
    'a target': [
      async (root) => {
        await rm(`${root}/links/dangling`);
        await symlink('/elsewhere', `${root}/links/dangling`);
      },
      /dangling.*content/,
    ],
    'a device': [
      async (root) => {
        await rm(`${root}/special/null`);
        await run('mknod', ['-m', '0666', `${root}/special/null`, 'c', '1', '5']);
      },
      /null.*content/,
    ],
    sparseness: [
      (root) => run('fallocate', ['--length', '8MiB', `${root}/sparse/only-a-hole`]),
      /only-a-hole.*was sparse/,
    ],
  };

  test.each(Object.entries(cases))('%s', async (_, [change, seen]) => {
    const copy = `${await temporaryFolder()}/copy`;
    await run('cp', ['--archive', '--sparse=always', original, copy]);
    expect(differences(tree, await describeTree(copy), { sparse: true })).toEqual([]);
    await change(copy);
    expect(differences(tree, await describeTree(copy), { sparse: true }).join('\n')).toMatch(seen);
  });
});
