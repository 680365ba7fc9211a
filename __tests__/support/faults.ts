export { FaultyPrograms } from '../../sandbox/faults/programs.js';
export type { Fault, FaultMode } from '../../sandbox/faults/programs.js';
