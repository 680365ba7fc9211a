import { mkdtemp, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { attempt } from '../../sandbox/process.js';
import { promtoolProgram } from '../../sandbox/tools.js';

/** A sample as a metrics file has it: `name{label="value"} 1`. */
export type Sample = string;

interface Rule {
  alert: string;
  expr: string;
  for?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}

export interface RuleGroups {
  groups: { name: string; rules: Rule[] }[];
}

/** Milliseconds. Prometheus' tests begin at the epoch: so does time here. */
const hour = 3_600_000;

/** How long the samples stay as they are before the alerts are looked at; longer than any of them waits. */
const waited = 3 * hour;

/**
 * The time at which alerts are looked at, seconds. Prometheus works through all that lies before, so it is early; what
 * was earlier still is negative. Only 0, which stands for never, must be long ago.
 */
export const now = 28 * 3600;

async function promtool(folder: string, command: string[], files: Record<string, unknown>) {
  const at = await mkdtemp(path.join(folder, 'promtool-'));
  for (const [name, content] of Object.entries(files))
    await writeFile(path.join(at, name), JSON.stringify(content));
  const names = Object.keys(files).slice(-1);
  return attempt(promtoolProgram, [...command, ...names], { cwd: at });
}

/** @throws Error with what is wrong with a rule */
export async function checkRules(folder: string, rules: unknown): Promise<void> {
  const { code, stdout, stderr } = await promtool(folder, ['check', 'rules'], { 'rules.json': rules });
  if (code !== 0) throw new Error(`${stdout}\n${stderr}`);
}

/**
 * The alerts that fire while Prometheus sees these samples, each with its labels but for the severity.
 * @param samples times within them are relative to `now`
 */
export async function firing(
  folder: string,
  rules: RuleGroups,
  samples: readonly Sample[],
): Promise<string[]> {
  const all = rules.groups.flatMap((group) => group.rules.map(({ alert }) => alert));
  const names = [...new Set(all)];
  const fired: string[] = [];
  // Asked for an alert that does not fire, promtool says which do: all are asked for at once, and none is expected.
  const test = {
    rule_files: ['rules.json'],
    evaluation_interval: '15m',
    tests: [
      {
        interval: '5m',
        input_series: samples.map((sample) => {
          const [, series = '', value = ''] = /^(.*\S)\s+(\S+)$/.exec(sample) ?? [];
          // From a while before `now` until then.
          const before = (now * 1000 - waited) / 300_000;
          return { series, values: `_x${before} ${value}x${waited / 300_000}` };
        }),
        alert_rule_test: names.map((alertname) => ({ eval_time: `${now}s`, alertname, exp_alerts: [] })),
      },
    ],
  };
  const files = { 'rules.json': rules, 'test.json': test };
  const { stdout, stderr, code } = await promtool(folder, ['test', 'rules'], files);
  const text = `${stdout}\n${stderr}`;
  for (const [, alert = '', got = ''] of text.matchAll(
    /alertname: ?(\w+),[\s\S]*?got:\[([\s\S]*?)\n\s*\]/g,
  )) {
    const labels = [...got.matchAll(/Labels:\{([^}]*)\}/g)].map(([, all = '']) => all);
    for (const all of labels.length === 0 ? [''] : labels) fired.push(`${alert} ${plain(all)}`.trim());
  }
  if (code !== 0 && fired.length === 0) throw new Error(text);
  return fired.toSorted();
}

function plain(labels: string): string {
  return labels
    .split(', ')
    .filter((label) => !/^(alertname|severity)=/.test(label))
    .join(' ');
}
