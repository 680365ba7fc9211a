import { randomBytes } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';

/**
 * Writes metrics for node exporter's textfile collector, which may read at any moment: the file is replaced as a whole.
 * Other metrics in it stay, so that several commands can share it, one after the other.
 *
 * @param replaced whether a metric that is in the file goes
 */
export async function writeMetricsFile(
  file: string,
  text: string,
  replaced: (name: string) => boolean,
): Promise<void> {
  const before = await readFile(file, 'utf8').catch((thrown: unknown) => {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw thrown;
  });
  // The collector reads names that end in .prom, and nothing else.
  const temporary = `${file}.${randomBytes(4).toString('hex')}`;
  try {
    await writeFile(temporary, keep(before, replaced) + text, { mode: 0o644 });
    await rename(temporary, file);
  } catch (thrown) {
    await rm(temporary, { force: true });
    throw thrown;
  }
}

function keep(text: string, replaced: (name: string) => boolean): string {
  return text
    .split('\n')
    .filter((line) => {
      const name = /^(?:# (?:HELP|TYPE) )?([a-zA-Z_:][a-zA-Z0-9_:]*)/.exec(line)?.[1];
      return name !== undefined && !replaced(name);
    })
    .map((line) => `${line}\n`)
    .join('');
}
