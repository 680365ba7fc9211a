import { catalogue } from '../errors/catalogue.js';
import { printable } from '../log/logger.js';
import { errorItem, errorText, parseMessage } from '../tools/restic/messages.js';

/** Something that restic could not read. */
export interface ReadFailure {
  text: string;
  guidance: string;
}

/** restic before 0.19 says this in plain text, saves the file without the attribute, and exits 0. */
const plainAttribute = /^can not obtain extended attribute .* for (?<item>.*?):?$/s;
const metadata = /^(can not obtain extended attribute|incomplete metadata|nodeFromFileInfo) /;

/** What this line of `restic backup`'s stderr says of something that could not be read; null where it says nothing of it. */
export function readFailure(line: string): ReadFailure | null {
  const plain = plainAttribute.exec(line);
  if (plain !== null) return { text: printable(line), guidance: guidanceFor(plain.groups?.item ?? null) };
  const message = parseMessage(line);
  if (message?.message_type !== 'error') return null;
  const text = (errorText(message) ?? 'unknown').trimEnd();
  const item = errorItem(message, text);
  const guidance = metadata.test(text)
    ? guidanceFor(typeof message.item === 'string' ? message.item : null)
    : catalogue.READ_INCOMPLETE.guidance;
  return { text: printable(item === null ? text : `${text} (${item})`), guidance };
}

/** Owner, mode, times, links and attributes are as much of a backup as contents are. */
function guidanceFor(item: string | null): string {
  const pattern = item === null || item === '' ? 'with its path' : `\`${excludePattern(item)}\``;
  return `Mend the file (e.g. remove the attribute with \`setfattr -x\`), or leave it out: a line ${pattern} in the claim's annotation \`exclude\`. Else \`mode: image\` on the PersistentVolume saves the volume's bytes as they are.`;
}

/** The file and no other, from the volume's root. */
function excludePattern(item: string): string {
  return printable(`/${item.replace(/^\.?\//, '')}`.replace(/[*?[\\]/g, '\\$&'));
}
