import type { Shard } from './values.js';

/**
 * The shard: `--shard`, else what an Indexed Job gives its pods (JOB_COMPLETION_INDEX, with the chart's
 * CEPHBACKUP_SHARDS), else none.
 */
export function shardOf(option: Shard | null, env: NodeJS.ProcessEnv): Shard | null {
  if (option !== null) return option;
  const count = Number(env.CEPHBACKUP_SHARDS);
  const index = Number(env.JOB_COMPLETION_INDEX);
  return shardMistake(option, env) === null && count > 0 ? { index, count } : null;
}

/** What is wrong with the variables of an Indexed Job, if anything. */
export function shardMistake(option: Shard | null, env: NodeJS.ProcessEnv): string | null {
  const { CEPHBACKUP_SHARDS: shards = '', JOB_COMPLETION_INDEX: index = '' } = env;
  if (option !== null || shards.trim() === '') return null;
  if (!/^[1-9]\d{0,5}$/.test(shards))
    return `CEPHBACKUP_SHARDS ${JSON.stringify(shards)}: expected a whole number from 1`;
  if (/^\d{1,6}$/.test(index) && Number(index) < Number(shards)) return null;
  return `JOB_COMPLETION_INDEX ${JSON.stringify(index)}: expected a whole number from 0 to CEPHBACKUP_SHARDS - 1`;
}
