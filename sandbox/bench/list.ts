import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import yaml from 'js-yaml';
import { startCephbackup, type CephbackupResult } from '../cephbackup.js';
import { atMost, information, median, type Bench, type Figure } from './figure.js';
import { manyClaims } from './many-claims.js';
import { sample, type Sample } from './memory.js';
import { startNode } from './node.js';

/** A cluster of 10,000 claims, out of files as kubectl prints them. */
export const listing: Bench = async ({ folder, quick, tell }) => {
  const claims = quick ? 1_000 : 10_000;
  const rounds = quick ? 1 : 5;
  await mkdir(folder, { recursive: true });
  const dump = {
    apiVersion: 'v1',
    kind: 'List',
    metadata: { resourceVersion: '' },
    items: manyClaims(claims),
  };
  const texts = { json: JSON.stringify(dump, null, 4), yaml: yaml.dump(dump) };
  const figures: Figure[] = [];
  for (const [format, text] of Object.entries(texts)) {
    tell(`list --from a dump of ${claims} claims, ${format}, ${(text.length / 1e6).toFixed(0)} MB`);
    const file = path.join(folder, `dump.${format}`);
    await writeFile(file, text);
    figures.push(...(await list(file, claims, rounds)));
  }
  return { figures, notes: [] };
};

async function list(file: string, claims: number, rounds: number): Promise<Figure[]> {
  const samples: Record<'list' | 'read' | 'node', Sample<unknown>[]> = { list: [], read: [], node: [] };
  const readIt = `fs.readFileSync(${JSON.stringify(file)}, 'utf8')`;
  for (let round = 0; round < rounds; round += 1) {
    samples.node.push(await sample(() => startNode('0')));
    samples.read.push(await sample(() => startNode(readIt)));
    const listed = await sample(() => startCephbackup(['list', '-o', 'json', '--from', file]));
    requireVolumes(listed.result, claims);
    samples.list.push(listed);
  }
  const seconds = (of: Sample<unknown>[]) => median(of.map((one) => one.seconds));
  const peak = (of: Sample<unknown>[]) => median(of.map((one) => one.peak));
  const name = `${claims} claims, ${path.extname(file).slice(1)}`;
  return [
    atMost(`${name}: beyond reading the file`, seconds(samples.list) - seconds(samples.read), 2, 's'),
    atMost(`${name}: memory beyond Node itself`, peak(samples.list) - peak(samples.node), 200, 'MB'),
    information(`${name}: Node reads the file`, seconds(samples.read), 's'),
    information(`${name}: memory of Node itself`, peak(samples.node), 'MB'),
  ];
}

/** What printed something else measured something else. */
function requireVolumes({ code, json, stderr }: CephbackupResult, count: number): void {
  const { volumes } = (json ?? {}) as { volumes?: unknown[] };
  if (code !== 0 || volumes?.length !== count) throw new Error(`cephbackup list: ${stderr.slice(-2000)}`);
}
