import type { ClaimStatus } from '../plan/status.js';
import type { PageData } from './data.js';
import { html, nothing, type Html } from './html.js';
import { counted, percent, size } from './words.js';

/** How a claim counts in the coverage, in the order of the bar. */
const parts = [
  { key: 'ok', title: 'ok', of: ({ backup, state }) => backup && state === 'ok' },
  { key: 'stale', title: 'stale', of: ({ state }) => state === 'stale' },
  { key: 'missing', title: 'missing', of: ({ state }) => state === 'missing' },
  { key: 'never', title: 'never', of: ({ state, covered }) => state === 'never' && covered },
  { key: 'unsupported', title: 'unsupported', of: ({ backup, covered }) => backup && !covered },
  { key: 'out', title: 'opted out by its namespace', of: ({ optedOutBy }) => optedOutBy === 'namespace' },
  { key: 'out', title: 'opted out by its volume', of: ({ optedOutBy }) => optedOutBy === 'pv' },
  { key: 'out', title: 'opted out by the claim', of: ({ optedOutBy }) => optedOutBy === 'pvc' },
  { key: 'foreign', title: 'not on Ceph', of: ({ reason }) => reason === 'not-ceph' },
  { key: 'foreign', title: 'otherwise not covered', of: () => true },
] as const satisfies readonly { key: string; title: string; of: (claim: ClaimStatus) => boolean }[];

/** So many groups are shown at once; the others open on demand. */
const shownGroups = 8;

interface Group {
  name: string;
  claims: ClaimStatus[];
}

export function coverage({ status: { volumes }, facts }: PageData): Html {
  if (volumes.length === 0) return nothing;
  const groups: [string, Group[]][] = [
    ['Namespace', groupBy(volumes, ({ namespace }) => namespace)],
    ['Storage class', groupBy(volumes, ({ uid }) => facts.get(uid)?.storageClass ?? 'none')],
    ['Kind', groupBy(volumes, ({ kind }) => kind ?? 'none')],
  ];
  const counts = countParts(volumes);
  return html`<section aria-labelledby="coverage">
    <h2 id="coverage">Coverage</h2>
    ${bar(counts, volumes.length, 'wide')}
    <ul class="legend">
      ${counts.map(({ key, title, count }) => html`<li class="p-${key}"><i></i>${count.toLocaleString('en-US')} ${title} <small>${percent(count, volumes.length)}</small></li>`)}
    </ul>
    <div class="columns">${groups.map(([title, list]) => groupTable(title, list))}</div>
  </section>`;
}

function countParts(claims: readonly ClaimStatus[]) {
  const counts = parts.map(({ key, title }) => ({ key, title, count: 0 }));
  for (const claim of claims) {
    const found = counts[parts.findIndex(({ of }) => of(claim))];
    if (found !== undefined) found.count += 1;
  }
  return counts.filter(({ count }) => count > 0);
}

function bar(counts: ReturnType<typeof countParts>, total: number, css: string): Html {
  let x = 0;
  const rects = counts.map(({ key, count }) => {
    const width = (100 * count) / total;
    const rect = html`<rect class="p-${key}" x="${round(x)}" width="${round(width)}" height="10" />`;
    x += width;
    return rect;
  });
  return html`<svg class="bar ${css}" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
    ${rects}
  </svg>`;
}

/** What is least covered first. */
function groupBy(claims: readonly ClaimStatus[], nameOf: (claim: ClaimStatus) => string): Group[] {
  const groups = new Map<string, Group>();
  for (const claim of claims) {
    const name = nameOf(claim);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, { name, claims: [claim] });
    else group.claims.push(claim);
  }
  const unsafe = ({ claims: own }: Group) =>
    own.filter(({ backup, state }) => backup && state !== 'ok').length;
  return [...groups.values()].toSorted(
    (a, b) => unsafe(b) - unsafe(a) || b.claims.length - a.claims.length || (a.name < b.name ? -1 : 1),
  );
}

function groupTable(title: string, groups: readonly Group[]): Html {
  const rest = groups.slice(shownGroups);
  return html`<div>
    ${table(title, groups.slice(0, shownGroups))}${
      rest.length === 0
        ? nothing
        : html`<details>
            <summary>${counted(rest.length, 'more', 'more')}</summary>
            ${table(title, rest)}
          </details>`
    }
  </div>`;
}

function table(title: string, groups: readonly Group[]): Html {
  return html`<table class="groups">
    <thead>
      <tr>
        <th scope="col">${title}</th>
        <th scope="col">Ok</th>
        <th scope="col">Size</th>
      </tr>
    </thead>
    <tbody>
      ${groups.map(({ name, claims }) => {
        const selected = claims.filter(({ backup }) => backup);
        const ok = selected.filter(({ state }) => state === 'ok').length;
        const sum = selected.reduce((total, { sizeBytes }) => total + (sizeBytes ?? 0), 0);
        return html`<tr>
          <th scope="row">${name}${bar(countParts(claims), claims.length, 'thin')}</th>
          <td>${selected.length === 0 ? 'none selected' : `${ok} of ${selected.length}`}</td>
          <td>${size(sum)}</td>
        </tr>`;
      })}
    </tbody>
  </table>`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
