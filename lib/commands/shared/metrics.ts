import type { EpochMs } from '../../log/time.js';
import type { metricsOptions } from './options/metrics.js';
import type { Values } from '../../cli/options.js';
import { asCephbackupError, messageOf } from '../../errors/error.js';
import { decodedUrlPart, redactUrls } from '../../log/redactor.js';
import { exitCodeOf } from '../../errors/exit-code.js';
import type { Command, CommandContext } from '../../cli/command.js';
import type { Family } from '../../metrics/family.js';
import { momentOf, ping, type Moment } from '../../metrics/ping.js';

type MetricsValues = Values<typeof metricsOptions> & {
  shard?: { index: number } | null;
  dryRun?: boolean | null;
};

/** A command that says how it went where `--metrics-file` and `--metrics-push` want it, also where it fails. */
export function withMetrics<O extends MetricsValues>(name: string, command: Command<O>): Command<O> {
  return async (context) => {
    const { metricsFile, metricsPush, ping, dryRun } = context.options;
    if ((metricsFile === null && metricsPush === null && ping === null) || dryRun === true)
      return command(context);
    for (const url of [metricsPush, ping])
      if (url !== null) context.redactor.add(decodedUrlPart(new URL(url).password));
    const started = context.clock();
    const told = tell(context, 'start');
    try {
      const output = await command(context);
      const { exitCode, metrics = null } = output;
      await Promise.all([
        deliver(context, { name, started, exitCode, families: metrics }),
        told.then(() => tell(context, momentOf(exitCode))),
      ]);
      return output;
    } catch (thrown) {
      const exitCode = exitCodeOf(asCephbackupError(thrown), context.endedBy());
      await Promise.all([
        deliver(context, { name, started, exitCode, families: null }),
        told.then(() => tell(context, momentOf(exitCode))),
      ]);
      throw thrown;
    }
  };
}

/** Never throws, as `deliver`. */
async function tell(context: CommandContext<MetricsValues>, moment: Moment | null): Promise<void> {
  const { options, env, log } = context;
  if (options.ping === null || moment === null) return;
  const index = options.shard?.index ?? Number(env.JOB_COMPLETION_INDEX ?? 0);
  try {
    await ping(options.ping, moment, index);
  } catch (thrown) {
    log.warn(`--ping (${moment}): ${messageOf(thrown)}`);
  }
}

interface Delivery {
  name: string;
  started: EpochMs;
  exitCode: number;
  /** Null where the command failed as a whole: what it had said of each volume stays. */
  families: readonly Family[] | null;
}

/** Never throws: metrics that cannot be delivered are a warning. */
async function deliver(
  context: CommandContext<MetricsValues>,
  { name, started, exitCode, families }: Delivery,
) {
  const { options, env, log, clock } = context;
  const [{ commandMetrics, owned }, { registryOf }] = await Promise.all([
    import('../../metrics/command.js'),
    import('../../metrics/registry.js'),
  ]);
  const all = [...commandMetrics(name, { started, finished: clock(), exitCode }), ...(families ?? [])];
  const registry = registryOf(all);
  const names = new Set(all.map((family) => family.name));
  const replaced = (metric: string) =>
    families === null
      ? names.has(metric)
      : (owned[name] ?? []).some((beginning) => metric.startsWith(beginning));
  const attempt = async (what: string, action: () => Promise<void>) => {
    try {
      await action();
    } catch (thrown) {
      const why = messageOf(thrown);
      log.warn(redactUrls(`metrics could not be ${what}: ${why}`));
    }
  };
  const { metricsFile, metricsPush } = options;
  if (metricsFile !== null) {
    await attempt('written', async () =>
      (await import('../../metrics/file.js')).writeMetricsFile(
        metricsFile,
        await registry.metrics(),
        replaced,
      ),
    );
  }
  if (metricsPush !== null) {
    const shard = options.shard?.index ?? env.JOB_COMPLETION_INDEX;
    const grouping = { command: name, ...(shard === undefined ? {} : { shard: String(shard) }) };
    await attempt('pushed', async () =>
      (await import('../../metrics/push.js')).pushMetrics({
        url: metricsPush,
        grouping,
        registry,
        replace: families !== null,
      }),
    );
  }
}
