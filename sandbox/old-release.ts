import { mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { transform } from '@swc/core';
import { checkout } from './checkout.js';
import { run } from './process.js';

/** Builds the program of an earlier commit, with the dependencies of today. Types are not checked. */
export async function buildRelease(commit: string, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const archive = path.join(folder, 'release.tar');
  await run('git', ['-C', checkout, 'archive', '--output', archive, commit, 'bin', 'lib', 'package.json']);
  await run('tar', ['-x', '-f', archive, '-C', folder]);
  await symlink(path.join(checkout, 'node_modules'), path.join(folder, 'node_modules'));
  const files = await readdir(folder, { recursive: true, withFileTypes: true });
  for (const file of files) {
    if (!file.isFile() || !file.name.endsWith('.ts')) continue;
    const source = path.join(file.parentPath, file.name);
    const { code } = await transform(await readFile(source, 'utf8'), {
      filename: source,
      jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
      module: { type: 'es6' },
    });
    const target = path.join(folder, 'dist', path.relative(folder, source).replace(/\.ts$/, '.js'));
    await mkdir(path.dirname(target), { recursive: true });
    await writeFile(target, code);
  }
}
