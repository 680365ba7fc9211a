/** Text that is markup already, made by `html` alone. */
export class Html {
  constructor(readonly text: string) {}
}

type Value = Html | string | number | readonly Html[];

/** Markup with values in it. Every value but markup is text: nothing in it can end an element or an attribute. */
export function html(strings: TemplateStringsArray, ...values: Value[]): Html {
  const parts = strings.map(
    (part, index) => oneLine(part) + (index < values.length ? text(values[index] ?? '') : ''),
  );
  return new Html(parts.join(''));
}

/** How a template is broken into lines and indented is for whoever reads the source. */
function oneLine(part: string): string {
  return part.replace(/\s*\n\s*/g, ' ');
}

export const nothing = new Html('');

/** Data that a script of the page reads: valid JSON, in which nothing can end the element around it. */
export function json(data: unknown): Html {
  return new Html(
    JSON.stringify(data).replace(
      /[<>&\u2028\u2029]/g,
      (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
    ),
  );
}

function text(value: Value): string {
  if (value instanceof Html) return value.text;
  if (typeof value === 'object') return value.map((part) => part.text).join('');
  return escape(visible(String(value)));
}

const entities = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&quot;'],
  ["'", '&#39;'],
  ['`', '&#96;'],
]);

function escape(value: string): string {
  return value.replace(/[&<>"'`]/g, (character) => entities.get(character) ?? '');
}

/**
 * Control characters, what changes the direction of text, what has no width, and halves of characters are shown by
 * their numbers: a name must not look like another one.
 */
export function visible(value: string): string {
  return value.replace(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0]/gu,
    (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
  );
}
