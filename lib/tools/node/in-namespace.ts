import { mkdir, writeFile } from 'node:fs/promises';
import { CephbackupError } from '../../errors/error.js';
import type { NamespaceRef } from '../process/exec.js';
import { isHeld, pathInside } from './namespace.js';

/** Writes a file inside a namespace. @throws CephbackupError NAMESPACE_FAILED where its holder has ended */
export function writeInside(
  namespace: NamespaceRef,
  path: string,
  text: string,
  options: { mode?: number } = {},
): Promise<void> {
  return inside(namespace, () => writeFile(pathInside(namespace, path), text, options));
}

/** Makes a directory inside a namespace. @throws CephbackupError NAMESPACE_FAILED where its holder has ended */
export async function mkdirInside(
  namespace: NamespaceRef,
  path: string,
  options: { recursive?: boolean } = {},
): Promise<void> {
  await inside(namespace, () => mkdir(pathInside(namespace, path), options));
}

async function inside<T>(namespace: NamespaceRef, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    if (await isHeld(namespace)) throw cause;
    const message = 'the private mount namespace is gone: the process that held it has ended';
    throw new CephbackupError('NAMESPACE_FAILED', message, { cause });
  }
}
