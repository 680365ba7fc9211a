import type { Definitions } from '../../cli/options.js';
import { commonOptions, readingOptions } from '../shared/options.js';

export const openOptions = { ...commonOptions, ...readingOptions } satisfies Definitions;
