import { defaultPatience } from '../../tools/process/patient.js';
import { steady, type Patience } from '../../waiting/persist.js';

/** What is away as a whole is waited for so many times as long as one step: five minutes, where nothing else is asked for. */
const timesAStep = 2.5;
const betweenProbesMs = 15_000;

/** How long a cluster or repository that is away is asked again. @param patienceMs --patience */
export function outageOf(patienceMs: number | null): Patience {
  return steady(timesAStep * (patienceMs ?? defaultPatience.patienceMs), betweenProbesMs);
}
