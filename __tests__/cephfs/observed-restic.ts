import { chmod, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { resticProgram, searchPath } from '../../sandbox/tools.js';
import { temporaryFolder } from '../support/temporary.js';

export interface BackupCounts {
  files_new: number;
  files_changed: number;
  files_unmodified: number;
  dirs_new: number;
  dirs_changed: number;
  dirs_unmodified: number;
  data_blobs: number;
  tree_blobs: number;
  data_added: number;
  total_bytes_processed: number;
}

/** restic with an ear on it: for what its summary of a backup says beyond what this program uses. */
export class ObservedRestic {
  private constructor(
    /** To be used instead of PATH. */
    readonly path: string,
    private readonly log: string,
  ) {}

  static async create(): Promise<ObservedRestic> {
    const folder = await temporaryFolder('observed');
    const log = path.join(folder, 'log');
    const script = ['#!/bin/bash', 'set -o pipefail', `'${resticProgram}' "$@" | tee -a '${log}'`];
    await writeFile(path.join(folder, 'restic'), `${script.join('\n')}\n`);
    await chmod(path.join(folder, 'restic'), 0o755);
    return new ObservedRestic(`${folder}:${searchPath()}`, log);
  }

  /** Of the newest backup. */
  async counts(): Promise<BackupCounts> {
    const lines = (await readFile(this.log, 'utf8')).split('\n');
    const summary = lines.findLast((line) => line.includes('"message_type":"summary"'));
    return JSON.parse(summary ?? 'null') as BackupCounts;
  }
}
