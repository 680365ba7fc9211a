import { formatTable } from '../../lib/cli/output/table.js';

/** Seconds a volume of each step, of the script and of the program; what only the program does has no other side. */
export function stepsTable(
  script: ReadonlyMap<string, number>,
  program: ReadonlyMap<string, number>,
  volumes: number,
): string {
  const seconds = (sum: number | undefined) => (sum === undefined ? '' : (sum / volumes).toFixed(2));
  const names = new Set([...script.keys(), ...program.keys()]);
  const rows = [...names].map((name) => [name, seconds(script.get(name)), seconds(program.get(name))]);
  return formatTable(['STEP', 'SCRIPT', 'RUN'], rows);
}
