import type { PodCommandEnd, PodExec } from '../kube/exec/exec.js';
import { printable, type Logger } from '../log/logger.js';
import type { PodHook } from './plan.js';

/** A line of a tool is longer only if it is no text. */
const longestLine = 2_000;

/** Runs one command of a hook, and logs what it printed. */
export async function runHook(
  { exec, log }: { exec: PodExec; log: Logger },
  { namespace, pod, container, timeoutMs, ...hook }: PodHook,
  which: 'pre' | 'post',
  signal: AbortSignal,
): Promise<PodCommandEnd> {
  const about = log.with({ pod: `${namespace}/${pod}`, container, hook: `${which}-snapshot` });
  about.info(`running the ${which}-snapshot hook`);
  const end = await exec({ namespace, pod, container, argv: hook[which] ?? [], timeoutMs, signal });
  for (const line of end.output.lines()) {
    const text = `hook: ${printable(line).slice(0, longestLine)}`;
    if (end.exitCode === 0) about.info(text);
    else about.warn(text);
  }
  return end;
}
