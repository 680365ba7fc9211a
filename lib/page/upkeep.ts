import { claimOperand } from './commands.js';
import type { GoneClaim, PageData, PrunePreview } from './data.js';
import { html, nothing, type Html } from './html.js';
import { counted, moment, size } from './words.js';

/** So many lines of a list are shown. */
const shownLines = 25;

/** What is kept, what goes, what is left of claims that exist no more, and what was odd. */
export function upkeep({ repository, status }: PageData): Html {
  return html`${repository === null ? nothing : retention(repository.prune)}${repository === null ? nothing : gone(repository.gone)}${warnings(status.warnings)}`;
}

function retention(prune: PrunePreview | null): Html {
  const head = html`<h2 id="prune">What prune would do</h2>`;
  if (prune === null)
    return html`<section aria-labelledby="prune">
      ${head}
      <p class="note">
        Make this page with the rules that you prune by, for example
        <code>--keep-daily 14 --keep-weekly 8</code>, to see it here.
      </p>
    </section>`;
  const total = counted(prune.keep + prune.forget, 'snapshot');
  return html`<section aria-labelledby="prune">
    ${head}
    <p>
      With <code>${prune.rules.join(' ')}</code> it would forget ${prune.forget.toLocaleString('en-US')} of
      ${total}.
    </p>
    ${
      prune.claims.length === 0
        ? nothing
        : lines(
            'What prune would forget, by claim',
            ['Claim', 'Forgets', 'Keeps'],
            prune.claims.map(({ namespace, pvc, keep, forget }) => [
              `${namespace}/${pvc}`,
              String(forget),
              String(keep),
            ]),
          )
    }
  </section>`;
}

function gone(claims: readonly GoneClaim[]): Html {
  if (claims.length === 0) return nothing;
  return html`<section aria-labelledby="gone">
    <h2 id="gone">Backups of claims that exist no more</h2>
    <p class="note">They can be restored as any other: ${example(claims)}</p>
    ${lines(
      'Claims that exist no more, as a table',
      ['Claim', 'Newest', 'Size', 'Snapshots', 'Kind', 'UID'],
      claims.map(({ namespace, pvc, uid, kind, backups }) => {
        const newest = backups.at(-1);
        return [
          `${namespace}/${pvc}`,
          newest === undefined ? '' : moment(newest.timeMs),
          size(newest?.sizeBytes ?? null),
          String(backups.length),
          kind,
          uid,
        ];
      }),
    )}
  </section>`;
}

function example([first]: readonly GoneClaim[]): Html {
  const operand = first === undefined ? null : claimOperand(first.namespace, first.pvc);
  if (first === undefined || operand === null || !/^[0-9a-f-]+$/.test(first.uid)) return nothing;
  const where = first.kind === 'rbd-block' ? '--to-file ./disk.qcow2' : '--to-directory ./restored';
  return html`<code>cephbackup restore ${operand} --uid ${first.uid} ${where}</code>`;
}

function warnings(list: readonly string[]): Html {
  if (list.length === 0) return nothing;
  return html`<section aria-labelledby="warnings">
    <h2 id="warnings">${counted(list.length, 'warning')}</h2>
    <ul class="warnings">
      ${list.slice(0, 4 * shownLines).map((line) => html`<li>${line}</li>`)}
    </ul>
    ${more(list.length - 4 * shownLines)}
  </section>`;
}

function lines(name: string, headers: readonly string[], rows: readonly (readonly string[])[]): Html {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${name}">
      <table class="lines">
        <thead>
          <tr>
            ${headers.map((title) => html`<th scope="col">${title}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${rows.slice(0, shownLines).map(
            ([first = '', ...cells]) =>
              html`<tr>
                <th scope="row">${first}</th>
                ${cells.map((cell) => html`<td>${cell}</td>`)}
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
    ${more(rows.length - shownLines)}`;
}

function more(count: number): Html {
  return count > 0 ? html`<p class="note">And ${counted(count, 'more', 'more')}.</p>` : nothing;
}
