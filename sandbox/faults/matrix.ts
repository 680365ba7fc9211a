import { createHash } from 'node:crypto';
import { namesOf, type Call } from './calls.js';
import { modesOf, type Mode } from './modes.js';
import type { Case } from './replay.js';
import type { Subject } from './subjects.js';

const killedAtRandom: Mode = { name: 'KILL at a random time', times: 1, ends: 'SIGKILL' };
/** For each subject. */
const randomKills = { run: 50, other: 10 };

/** Every case of a subject: each call of its recording, with each mode. */
export function casesOf(subject: Subject, calls: readonly Call[], seed: string): Case[] {
  const names = namesOf(calls);
  const byCall = calls.flatMap((call) =>
    modesOf(call).map((mode) => {
      const id = `${subject.name} | ${names.get(call) ?? call.pattern} | ${mode.name}`;
      return { id, subject, call, mode, chance: numberOf(seed, id) };
    }),
  );
  const count = subject.command === 'run' ? randomKills.run : randomKills.other;
  const atRandom = Array.from({ length: count }, (_, index) => {
    const id = `${subject.name} | ${index + 1} | ${killedAtRandom.name}`;
    return { id, subject, call: null, mode: killedAtRandom, chance: numberOf(seed, id) };
  });
  return [...byCall, ...atRandom];
}

/** In an order that the seed decides. */
export function shuffled<T>(things: readonly T[], nameOf: (thing: T) => string, seed: string): T[] {
  return things.toSorted((a, b) => numberOf(seed, nameOf(a)) - numberOf(seed, nameOf(b)));
}

/** Between 0 and 1, always the same for these two. */
export function numberOf(seed: string, text: string): number {
  const digest = createHash('sha256').update(`${seed}\0${text}`).digest();
  return digest.readUInt32BE(0) / 2 ** 32;
}
