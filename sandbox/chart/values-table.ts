import yaml from 'js-yaml';

/** One value of the chart that a user can set. */
export interface ChartValue {
  /** As `helm --set` names it: `image.tag`. */
  path: string;
  default: unknown;
  /** Its comment in values.yaml, without the leading `# --`. */
  description: string;
}

/**
 * The documented values of a chart: every key below a comment `# -- text`, with everything in it as its default.
 *
 * @throws Error naming each value that has no comment: an undocumented value is a mistake.
 */
export function chartValues(text: string): ChartValue[] {
  const values = yaml.load(text);
  const described = descriptions(text);
  const found: ChartValue[] = [];
  const missing: string[] = [];
  const walk = (node: unknown, path: string): void => {
    const description = described.get(path);
    if (description !== undefined) found.push({ path, default: node, description });
    else if (!isObject(node) || Object.keys(node).length === 0) missing.push(path);
    else for (const [key, child] of Object.entries(node)) walk(child, path === '' ? key : `${path}.${key}`);
  };
  walk(values, '');
  if (missing.length > 0) throw new Error(`values without a comment "# --": ${missing.join(', ')}`);
  return found;
}

/** The comment `# -- …` directly above each key, by the key's path; two blanks a level. */
function descriptions(text: string): Map<string, string> {
  const found = new Map<string, string>();
  const path: string[] = [];
  let comment: string | null = null;
  for (const line of text.split('\n')) {
    const described = /^\s*# -- (.+)$/.exec(line)?.[1];
    const key = /^(\s*)([A-Za-z][A-Za-z0-9]*):/.exec(line);
    if (key !== null) {
      path.length = (key[1] ?? '').length / 2;
      path.push(key[2] ?? '');
      if (comment !== null) found.set(path.join('.'), comment);
    }
    comment = described ?? null;
  }
  return found;
}

/** A table in Markdown. */
export function valuesTable(text: string): string {
  const rows = chartValues(text).map(
    (value) => `| \`${value.path}\` | \`${JSON.stringify(value.default)}\` | ${value.description} |`,
  );
  return ['| value | default | what it does |', '|---|---|---|', ...rows].join('\n');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
