import type { Definitions } from '../../../cli/options.js';
import { path, webUrl } from '../../../cli/values.js';

/** Where a command says how it went. */
export const metricsOptions = {
  metricsFile: {
    flag: '--metrics-file',
    placeholder: 'FILE',
    description:
      "write metrics to this file, for node exporter's textfile collector (a name that ends in .prom)",
    parse: path,
  },
  metricsPush: {
    flag: '--metrics-push',
    placeholder: 'URL',
    description: 'push metrics to this Pushgateway',
    parse: webUrl,
    secret: true,
  },
  ping: {
    flag: '--ping',
    placeholder: 'URL',
    description:
      "tell a dead man's switch (such as healthchecks.io) how it goes: asks URL/start, then URL, or URL/fail; {shard} in it becomes the shard's number",
    parse: webUrl,
    secret: true,
  },
} satisfies Definitions;
