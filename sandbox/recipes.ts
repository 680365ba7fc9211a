import { runLane } from './lane.js';
import { own } from './owner.js';

/** `npm run test:recipes [-- ARGUMENTS FOR JEST]`: the recipes of docs/consistency.md, on the databases themselves. */
await own((owner) => runLane(owner, '__tests__/recipes/**/*.recipe.ts'));
