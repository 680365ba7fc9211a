import type { ClaimStatus } from '../plan/status.js';
import { calendarDays, calendarOf } from './calendar.js';
import { calendarHead, calendarRow } from './rows.js';
import type { PageBackup, PageData } from './data.js';
import { html, nothing, type Html } from './html.js';
import { ago, counted, lookOf, size, stateText } from './words.js';

/** Columns that can be sorted by; the script knows them by their order. */
const columns = ['Claim', 'State', 'Last backup', 'Read back', 'Size'];

/** The worst first, then by name. */
export function inOrder(volumes: readonly ClaimStatus[]): ClaimStatus[] {
  return volumes.toSorted(
    (a, b) => lookOf(a).rank - lookOf(b).rank || compare(a.namespace, b.namespace) || compare(a.pvc, b.pvc),
  );
}

/** The calendar: a row a claim, a cell a day. */
export function claims(data: PageData, ordered: readonly ClaimStatus[]): Html {
  if (ordered.length === 0) return nothing;
  return html`<section aria-labelledby="calendar">
    <h2 id="calendar">${calendarDays} days of ${counted(ordered.length, 'claim')}</h2>
    ${legend(data)}
    <form class="tools" role="search" hidden>
      <label for="find">Find</label
      ><input
        id="find"
        type="search"
        autocomplete="off"
        spellcheck="false"
        placeholder="namespace, claim, kind, class, state"
      />
      <fieldset>
        <legend class="sr">Show</legend>
        ${filter('all', 'All', true)}${filter('unsafe', 'To do')}${filter('selected', 'Selected')}${filter('out', 'Not covered')}
      </fieldset>
      <p id="found" role="status" class="note"></p>
    </form>
    <table id="claims">
      <caption class="sr">
        The claims, their last backups, and on which of the last ${calendarDays} days there is one
      </caption>
      <thead>
        <tr>
          ${columns.map(
            (title, index) =>
              html`<th scope="col" class="c${index}" ${index === 1 ? sortedBy : nothing}>
                <button type="button" disabled>${title}</button>
              </th>`,
          )}
          <th scope="col" class="cal">
            <span class="sr">Days until today</span>${calendarHead(data.madeMs)}
          </th>
        </tr>
      </thead>
      <tbody>
        ${ordered.map((claim) => row(claim, data))}
      </tbody>
    </table>
  </section>`;
}

const sortedBy = html` aria-sort="ascending"`;

function filter(value: string, title: string, checked = false): Html {
  return html`<label
    ><input type="radio" name="show" value="${value}" ${checked ? html` checked` : nothing} /><span
      >${title}</span
    ></label
  >`;
}

function row(claim: ClaimStatus, data: PageData): Html {
  const { namespace, pvc, uid, kind, sizeBytes, lastBackup, lastVerified, backup } = claim;
  const calendar = calendarOf({
    backups: shownBackups(claim, data),
    createdMs: data.facts.get(uid)?.createdMs ?? null,
    failedMs: failedAt(claim),
    nowMs: data.madeMs,
  });
  return html`<tr class="${lookOf(claim).tone}">
    <th scope="row">
      <button type="button" aria-expanded="false" disabled><span>${namespace}/</span>${pvc}</button
      ><small>${kind ?? 'no volume of Ceph'}</small>
    </th>
    <td class="state">${stateText(claim)}</td>
    <td>${ago(lastBackup, data.madeMs)}</td>
    <td>${backup ? ago(lastVerified, data.madeMs) : ''}</td>
    <td>${size(sizeBytes)}</td>
    <td class="cal">${calendarRow(calendar, data.madeMs)}</td>
  </tr> `;
}

/** Without the repository only the last backup is known. */
export function shownBackups(
  { uid, lastBackup, lastSnapshot }: ClaimStatus,
  { repository }: PageData,
): readonly PageBackup[] {
  if (repository !== null) return repository.backups.get(uid) ?? [];
  if (lastBackup === null) return [];
  const timeMs = Date.parse(lastBackup);
  return [{ id: lastSnapshot ?? '', timeMs, sizeBytes: null, addedBytes: null, proven: true }];
}

function failedAt({ lastError, lastAttempt }: ClaimStatus): number | null {
  return lastError === null || lastAttempt === null ? null : Date.parse(lastAttempt);
}

function legend({ repository }: PageData): Html {
  const marks: [string, string, string][] = [
    ['b', 'M0 1.25h1', 'a backup'],
    ['s', 'M0 1.25h1', 'several'],
    ['u', 'M0 1.85h1', 'unproven, does not count'],
    ['n', 'M0 2.2h1', 'none'],
    ['f', 'M.1 .9l.6 .8m0-.8l-.6 .8', 'the last attempt failed'],
  ];
  return html`<ul class="legend">
      ${marks.map(
        ([css, d, text]) =>
          html`<li>
            <svg class="key" viewBox="0 0 1 2.5" aria-hidden="true"><path class="${css}" d="${d}" /></svg
            >${text}
          </li>`,
      )}
    </ul>
    ${
      repository === null
        ? html`<p class="note">
            Only the last backup of each claim is known without the repository: make this page with
            <code>--repository</code> for all of them.
          </p>`
        : nothing
    }`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
