import { createHash } from 'node:crypto';
import { answer, answerText } from './answer.js';
import { behaviour } from './behaviour.js';
import { claims, inOrder } from './claims.js';
import { coverage } from './coverage.js';
import type { PageData } from './data.js';
import { detailsOf } from './details.js';
import { html, Html, json } from './html.js';
import { plots } from './plots.js';
import { style } from './style.js';
import { upkeep } from './upkeep.js';
import { moment } from './words.js';

/**
 * One page that needs nothing but itself: HTML, with its style and its script inside. Its policy lets the browser load
 * nothing, send nothing, and run no other script than this one, whatever the names in it are. A pure function.
 */
export function pageOf(data: PageData): string {
  const ordered = inOrder(data.status.volumes);
  const policy = [
    `default-src 'none'`,
    `style-src '${hash(style)}'`,
    `script-src '${hash(behaviour)}'`,
    `base-uri 'none'`,
    `form-action 'none'`,
  ].join('; ');
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${new Html(policy)}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="referrer" content="no-referrer" />
        <meta name="color-scheme" content="light dark" />
        <title>${answerText(data.status)}</title>
        ${new Html(`<style>${style}</style>`)}
      </head>
      <body>
        <main>${answer(data)} ${coverage(data)} ${claims(data, ordered)} ${plots(data)} ${upkeep(data)}</main>
        <footer>
          <p>
            Made by <code>cephbackup report</code>, ${moment(data.madeMs)}. Days are those of UTC. What is
            said here was true then.
          </p>
        </footer>
        <div id="tip" role="tooltip" hidden></div>
        <script type="application/json" id="details">
          ${json(detailsOf(data, ordered))}
        </script>
        ${new Html(`<script>${behaviour}</script>`)}
      </body>
    </html>`.text;
}

function hash(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}
