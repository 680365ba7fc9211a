import { randomUUID } from 'node:crypto';
import { inShard } from '../../lib/plan/policy.js';
import { atLeast, information, median, type Bench, type Figure } from './figure.js';

/** A machine reads so much of what has changed, for each volume at a time; bytes a second. */
const rate = 60e6;
/** Of each volume, however small; of each pod, however little it has to do. `npm run bench -- small-volumes rbd-filesystem`. */
const [volumeSeconds, podSeconds] = [3, 3];
const concurrency = 4;

interface Claim {
  uid: string;
  seconds: number;
}

/**
 * What shards win, simulated: claims whose sizes differ as much as those of real clusters (log-normal, the middle one of
 * 5 GiB, one in forty of more than 270 GiB), each with its fixed cost; backed up in order, four at a time in each pod.
 */
export const sharding: Bench = ({ quick, tell }) => {
  const figures: Figure[] = [];
  for (const [what, share] of [
    ['a night, 1 % changed', 0.01],
    ['a first backup', 1],
  ] as const) {
    for (const claims of [100, 1_000, 10_000]) {
      tell(`${what}, ${claims} claims`);
      const clusters = Array.from({ length: quick ? 5 : 20 }, () => cluster(claims, share));
      for (const shards of [2, 4]) {
        const [byHash, byCost] = [hashed, dealt].map((split) =>
          clusters.map((all) => gain(all, split(all, shards))),
        );
        const name = `${what}, ${claims} claims, ${shards} shards`;
        const won = median(byHash ?? []);
        figures.push(
          shards === 2 && claims >= 1_000 && share < 1
            ? atLeast(name, won, 1.9, '×')
            : information(name, won, '×'),
          information(`the same, if they were dealt out by cost`, median(byCost ?? []), '×'),
        );
      }
    }
  }
  return Promise.resolve({ figures, notes: [] });
};

function cluster(claims: number, share: number): Claim[] {
  return Array.from({ length: claims }, () => {
    const size = 5 * 1024 ** 3 * Math.exp(2 * normal());
    return { uid: randomUUID(), seconds: volumeSeconds + (size * share) / rate };
  });
}

/** Box and Muller. */
function normal(): number {
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
}

/** As the program does. */
function hashed(claims: readonly Claim[], count: number): Claim[][] {
  return Array.from({ length: count }, (_, index) =>
    claims.filter(({ uid }) => inShard(uid, { index, count })),
  );
}

/** The dearest first, each to whom has least: needs one who deals. */
function dealt(claims: readonly Claim[], count: number): Claim[][] {
  const hands = Array.from({ length: count }, () => ({ claims: [] as Claim[], seconds: 0 }));
  for (const claim of claims.toSorted((a, b) => b.seconds - a.seconds)) {
    const least = hands.reduce((a, b) => (b.seconds < a.seconds ? b : a));
    least.claims.push(claim);
    least.seconds += claim.seconds;
  }
  return hands.map((hand) => hand.claims);
}

function gain(all: readonly Claim[], shards: readonly Claim[][]): number {
  return wall(all) / Math.max(...shards.map(wall));
}

/** Each slot takes the next volume when it is free. */
function wall(claims: readonly Claim[]): number {
  const slots = new Array<number>(concurrency).fill(0);
  for (const { seconds } of claims) {
    const first = slots.indexOf(Math.min(...slots));
    slots[first] = (slots[first] ?? 0) + seconds;
  }
  return podSeconds + Math.max(...slots);
}
