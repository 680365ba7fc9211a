/** A value of LVM's configuration syntax, in which a volume group describes itself (lvm.conf(5)). */
export type ConfigValue = number | string | ConfigValue[];
/** Keys are a tenant's: no object, which would have some by itself. */
export type ConfigSection = Map<string, ConfigValue | ConfigSection>;

const token = /\s+|#[^\n]*|([{}[\]=,])|"((?:[^"\\]|\\[^])*)"|([^\s{}[\]=,"#]+)/gy;
/** Deeper than any volume group is. */
const deepest = 16;

interface Token {
  /** `{`, `}`, `[`, `]`, `=`, `,`, or the kind of a word. */
  type: string;
  text: string;
}

/** @throws Error where it is not that */
export function parseConfig(text: string): ConfigSection {
  const tokens = tokensOf(text);
  let ahead = take(tokens);
  const next = (): Token => {
    const token = ahead;
    ahead = take(tokens);
    return token;
  };

  const value = (depth: number): ConfigValue => {
    const { type, text: word } = next();
    if (type === 'string') return word;
    if (type === 'word' && /^-?\d+(\.\d+)?$/.test(word)) return Number(word);
    if (type !== '[' || depth > deepest) throw new Error('a value is missing');
    const list: ConfigValue[] = [];
    while (ahead.type !== ']') {
      list.push(value(depth + 1));
      if (ahead.type === ',') next();
      else if (ahead.type !== ']') throw new Error('a list has no end');
    }
    next();
    return list;
  };

  const section = (depth: number, end: string): ConfigSection => {
    if (depth > deepest) throw new Error('too many sections in each other');
    const found: ConfigSection = new Map();
    for (;;) {
      const key = next();
      if (key.type === end) return found;
      if (key.type !== 'word') throw new Error('a name is missing');
      const { type } = next();
      if (type !== '{' && type !== '=') throw new Error('neither a section nor a value');
      found.set(key.text, type === '{' ? section(depth + 1, '}') : value(depth));
    }
  };
  return section(0, 'end');
}

function take(tokens: Iterator<Token, undefined>): Token {
  return tokens.next().value ?? { type: 'end', text: '' };
}

function* tokensOf(text: string): Generator<Token, undefined> {
  let end = 0;
  for (const match of text.matchAll(token)) {
    const [whole, sign, quoted, word] = match;
    end = match.index + whole.length;
    if (sign !== undefined) yield { type: sign, text: sign };
    else if (quoted !== undefined) yield { type: 'string', text: quoted.replaceAll(/\\([^])/g, '$1') };
    else if (word !== undefined) yield { type: 'word', text: word };
  }
  if (end !== text.length) throw new Error('a string has no end');
}

export function sectionAt(section: ConfigSection | undefined, key: string): ConfigSection | undefined {
  const found = section?.get(key);
  return found instanceof Map ? found : undefined;
}

export function textAt(section: ConfigSection | undefined, key: string): string | null {
  const found = section?.get(key);
  return typeof found === 'string' ? found : null;
}

/** A count of something; null where there is none. */
export function countAt(section: ConfigSection | undefined, key: string): number | null {
  const found = section?.get(key);
  return typeof found === 'number' && Number.isSafeInteger(found) && found >= 0 ? found : null;
}

export function listAt(section: ConfigSection | undefined, key: string): ConfigValue[] {
  const found = section?.get(key);
  return Array.isArray(found) ? found : [];
}
