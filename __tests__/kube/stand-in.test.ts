import { describe } from '@jest/globals';
import { apiSuite } from './api.suite.js';

describe('the stand-in', () => {
  apiSuite(false);
});
