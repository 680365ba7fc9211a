import { adviceOf } from '../plan/advice.js';
import type { ClaimStatus, StatusReport } from '../plan/status.js';
import type { PageData } from './data.js';
import { runCommand } from './commands.js';
import { html, nothing, type Html } from './html.js';
import { ago, counted, lookOf, moment, size, stateText } from './words.js';

/** So many of the claims that are not safe are told in full on top; all of them are in the calendar. */
const longestList = 50;

/** The claims that somebody has to do something about, the worst first. */
export function unsafeClaims({ volumes }: StatusReport): ClaimStatus[] {
  return volumes
    .filter(
      ({ backup, state, lastError, covered }) => backup && (state !== 'ok' || lastError !== null || !covered),
    )
    .toSorted((a, b) => lookOf(a).rank - lookOf(b).rank);
}

/** The answer in one sentence. */
export function answerText({ totals }: StatusReport): string {
  const { selected, ok, stale, never, missing, failed, notCovered } = totals;
  if (totals.claims === 0) return 'No claims found.';
  if (selected === 0) return 'No claim is to be backed up.';
  const others = Object.entries({ stale, never, missing }).filter(([, count]) => count > 0);
  const states = others.map(([state, count]) => `${count} ${state}`).join(', ');
  const verb = ok === 1 ? 'is' : 'are';
  const all =
    selected === 1
      ? 'The volume to be backed up is ok'
      : `All ${counted(selected, 'volume')} to be backed up are ok`;
  const some = `${ok.toLocaleString('en-US')} of ${counted(selected, 'volume')} to be backed up ${verb} ok: ${states}`;
  const failures = failed > 0 ? [`${failed} failed in the last attempt`] : [];
  const gaps = notCovered > 0 ? [`${notCovered} not covered`] : [];
  return `${[ok === selected ? all : some, ...failures, ...gaps].join('; ')}.`;
}

export function answer(data: PageData): Html {
  const { status, madeMs, cluster } = data;
  const unsafe = unsafeClaims(status);
  const { selected, ok } = status.totals;
  const tone = selected === 0 || ok < selected ? 'bad' : unsafe.length > 0 ? 'warn' : 'good';
  const name = cluster === null ? 'a dump' : `cluster ${cluster}`;
  return html`<header class="answer ${tone}">
      <p class="kicker">Backups of ${name}, ${moment(madeMs)}</p>
      <h1>${answerText(status)}</h1>
      ${rule(status)}
    </header>
    ${figures(data)}${todo(unsafe, madeMs)}`;
}

function rule({ maxAgeSeconds }: StatusReport): Html {
  if (maxAgeSeconds === null) return html`<p class="rule">Ok means that there is a backup, however old.</p>`;
  const hours = Math.round(maxAgeSeconds / 360) / 10;
  const limit = hours < 72 ? `${hours} hours` : `${Math.round(hours / 2.4) / 10} days`;
  return html`<p class="rule">
    Ok means a proven backup that is no older than ${limit}. Proven: looked up in the repository once it was
    saved; read back: all of its data, by <code>cephbackup verify</code>.
  </p>`;
}

function figures({ status: { totals, volumes }, madeMs, repository }: PageData): Html {
  const verified = volumes.filter(({ backup, lastBackup }) => backup && lastBackup !== null);
  const unread = verified.filter(({ lastVerified }) => lastVerified === null).length;
  const oldestProof = verified
    .flatMap(({ lastVerified }) => lastVerified ?? [])
    .toSorted()
    .at(0);
  const items: [string, string, string][] = [
    ['Selected', totals.selected.toLocaleString('en-US'), size(totals.sizeBytes)],
    ['Oldest backup', ago(totals.oldestBackup, madeMs, 'none'), day(totals.oldestBackup)],
    [
      'Oldest proof by reading',
      ago(oldestProof ?? null, madeMs, 'none'),
      unread > 0 ? `${unread.toLocaleString('en-US')} never read back` : day(oldestProof ?? null),
    ],
    ['Failed in the last attempt', totals.failed.toLocaleString('en-US'), ''],
    ['Not covered', totals.notCovered.toLocaleString('en-US'), `of ${counted(totals.claims, 'claim')}`],
  ];
  if (repository !== null) {
    const all = [...repository.backups.values(), ...repository.gone.map(({ backups }) => backups)];
    const unproven = all.flat().filter(({ proven }) => !proven).length;
    const note = unproven > 0 ? `${unproven} unproven` : 'all proven';
    const count = all.reduce((sum, backups) => sum + backups.length, 0);
    items.splice(1, 0, ['Snapshots', count.toLocaleString('en-US'), count === 0 ? '' : note]);
  }
  return html`<dl class="figures">
    ${items.map(
      ([name, value, note]) =>
        html`<div>
          <dt>${name}</dt>
          <dd>${value}<small>${note}</small></dd>
        </div>`,
    )}
  </dl>`;
}

function day(time: string | null): string {
  return time === null ? '' : time.slice(0, 10);
}

function todo(unsafe: readonly ClaimStatus[], madeMs: number): Html {
  if (unsafe.length === 0) return nothing;
  const more = unsafe.length - longestList;
  return html`<section aria-labelledby="todo">
    <h2 id="todo">What to do</h2>
    <ol class="todo">
      ${unsafe.slice(0, longestList).map((claim) => item(claim, madeMs))}
    </ol>
    ${more > 0 ? html`<p class="note">And ${counted(more, 'more claim')}: they come first in the calendar below.</p>` : nothing}
  </section>`;
}

function item(claim: ClaimStatus, madeMs: number): Html {
  const { namespace, pvc, lastBackup } = claim;
  const command = runCommand(namespace, pvc);
  const when = lastBackup === null ? 'no backup' : `last backup ${ago(lastBackup, madeMs)} ago`;
  const lines = [
    ...(claim.covered ? [] : [`it cannot be backed up: ${claim.why ?? claim.reason}`]),
    ...adviceOf(claim),
  ];
  return html`<li class="${lookOf(claim).tone}">
    <p>
      <b class="name">${namespace}/${pvc}</b> <span class="state">${stateText(claim)}</span>
      <span class="note">${when}</span>
    </p>
    ${lines.map(
      (line) => html`<p>${line}</p>`,
    )}${command !== null && claim.covered ? html`<p class="note">Then: <code>${command}</code></p>` : nothing}
  </li>`;
}
