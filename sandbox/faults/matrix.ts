import { createHash } from 'node:crypto';
import { namesOf, type Call } from './calls.js';
import { modesOf, type Mode } from './modes.js';
import type { Case } from './replay.js';
import type { Subject } from './subjects.js';

const killedAtRandom: Mode = { name: 'KILL at a random time', times: 1, ends: 'SIGKILL' };
/** For each subject, where nobody asks for another number. */
const randomKills = { run: 50, other: 10 };

/**
 * Every case of a subject: each call of its recording, with each mode.
 *
 * @param kills how often it is killed at a random time
 */
export function casesOf(
  subject: Subject,
  calls: readonly Call[],
  seed: string,
  kills = subject.command === 'run' ? randomKills.run : randomKills.other,
): Case[] {
  const names = namesOf(calls);
  const byCall = calls.flatMap((call) =>
    modesOf(call).map((mode) => {
      const id = `${subject.name} | ${names.get(call) ?? call.pattern} | ${mode.name}`;
      return { id, subject, call, mode, chance: numberOf(seed, id) };
    }),
  );
  const atRandom = Array.from({ length: kills }, (_, index) => {
    const id = `${subject.name} | ${index + 1} | ${killedAtRandom.name}`;
    return { id, subject, call: null, mode: killedAtRandom, chance: numberOf(seed, id) };
  });
  return [...byCall, ...atRandom];
}

/** What a case has in common with those of other subjects, and of other calls that do the same: its verb and its mode. */
export function sortOf(id: string): string {
  const [, call = '', mode = ''] = id.split(' | ');
  return mode === killedAtRandom.name ? mode : `${withoutNumbers(call)} | ${mode}`;
}

/** A call's name without the numbers that tell calls of one kind apart. */
export function withoutNumbers(call: string): string {
  return call.replace(/( \(\d+\))?( #\d+)?$/, '');
}

/** The first of those whose sort was tried least. */
export function leastTried<T extends { id: string }>(
  cases: readonly T[],
  tried: ReadonlyMap<string, number>,
): T | undefined {
  const countOf = ({ id }: T) => tried.get(sortOf(id)) ?? 0;
  return cases.toSorted((a, b) => countOf(a) - countOf(b))[0];
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
